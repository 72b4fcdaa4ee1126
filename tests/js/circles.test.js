import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { circlesIn } from '../../scripts/lib/circles.mjs';

describe('the check for circles of imports', () => {
  let folder;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'circles-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function write(files) {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  }

  it('finds them among scripts, also through types, exports and import()', () => {
    write({
      'a.ts': "import type { B } from './in/b.js';",
      'in/b.ts': "export { c } from '../c.mjs';",
      'c.mjs': "const a = await import('./a.ts');",
    });
    expect(circlesIn(folder)).toEqual(['a.ts -> in/b.ts -> c.mjs -> a.ts']);
  });

  it('finds them between C++ modules, each a header with its source', () => {
    write({
      'top/one.h': '',
      'top/one.cpp': '#include "top/one.h"\n  #include "two.h"\n',
      'top/two.h': '#include <vector>\n#include "top/one.h"\n',
    });
    expect(circlesIn(folder)).toEqual(['top/one -> top/two -> top/one']);
  });

  it('finds none where two files import the same, or a source its header', () => {
    write({
      'a.ts': "import { b } from './b.js';\nimport { c } from './c.js';",
      'b.ts': "import { c } from './c.js';\n// import { a } from './a.js';",
      'c.ts': "import { readFileSync } from 'node:fs';",
      'one.cpp': '#include "one.h"',
      'one.h': '// #include "two.h"',
      'two.h': '#include "one.h"',
    });
    expect(circlesIn(folder)).toEqual([]);
  });
});
