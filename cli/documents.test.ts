import { describe, expect, it } from 'vitest';
import { parseDocuments } from './documents.ts';

describe('parseDocuments', () => {
  it('puts what others refer to first; external hosts refer to models', () => {
    const text = `
kind: Deployment
name: d
model: m
engine: { kind: vllm }
---
kind: Host
name: ext
accelerators: [{ kind: L4, count: 1 }]
external: { endpoints: [{ url: "http://e:1", model: m }] }
---
kind: Model
name: m
source: hf://a/b
---
---
kind: Host
name: own
accelerators: [{ kind: l4, count: 1 }]
`;
    expect(parseDocuments(text, 'f').map((o) => o.spec.name)).toEqual(['own', 'm', 'ext', 'd']);
  });
  it('takes back what `get -o yaml` wrote', () => {
    const text = 'kind: Model\nname: m\nsource: hf://a/b\nstatus:\n  version: 3\n';
    expect(parseDocuments(text, 'f')).toEqual([{ kind: 'Model', spec: { name: 'm', source: 'hf://a/b', dtype: 'bf16' } }]);
  });
  it('refuses aliases that multiply without end, by the name of the file', () => {
    const levels = Array.from({ length: 8 }, (_, i) => `x${i + 1}: &x${i + 1} [${Array(9).fill(`*x${i}`).join(', ')}]`);
    expect(() => parseDocuments(['x0: &x0 [1]', ...levels].join('\n'), 'bomb.yaml')).toThrow(/bomb\.yaml is not valid.*alias/s);
  });
});
