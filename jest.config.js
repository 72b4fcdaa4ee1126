// npm test runs this with `node --experimental-vm-modules node_modules/jest/bin/jest.js`: the tests are ECMAScript modules.
export default {
  roots: ['<rootDir>/tests/js'],
  testEnvironment: 'node',
  testMatch: ['**/*.test.js'],
  transform: {}, // they run as they are
  testTimeout: 60_000, // against a hang; no test measures time
};
