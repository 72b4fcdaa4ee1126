export default {
  mode: 'production',
  entry: './main.js',
  output: { path: `${process.cwd()}/out` },
  performance: false, // its warnings of large files
};
