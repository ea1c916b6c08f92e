import { expect, it } from 'vitest';
import { declaredPricesOf, hostSpecSchema } from './fleet.ts';

const host = (accelerators: object[], rest: object = {}) => hostSpecSchema.safeParse({ name: 'h1', accelerators, ...rest });

it('an accelerator that was bought costs its price over its months', () => {
  const { data } = host([
    { kind: 'L40S', count: 2, purchase: { usd: 7300, months: 10 } },
    { kind: 'H100-SXM', count: 1, usdPerHour: 2 },
    { kind: 'L4', count: 1 },
  ]);
  expect(declaredPricesOf(data!)).toEqual({ L40S: 1, 'H100-SXM': 2 });
});

it.each([
  [[{ kind: 'L4', count: 1, usdPerHour: 1, purchase: { usd: 1, months: 1 } }], {}, 'accelerators.0.purchase'],
  [[{ kind: 'L4', count: 1, purchase: { usd: 1000 } }], {}, 'accelerators.0.purchase.months'],
  [[{ kind: 'L4', count: 1, purchase: { usd: -1, months: 1 } }], {}, 'accelerators.0.purchase.usd'],
  [[{ kind: 'L4', count: 1 }], { fixedUsdPerMonth: -1 }, 'fixedUsdPerMonth'],
])('refuses %j %j', (accelerators, rest, path) => {
  expect(host(accelerators, rest).error!.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});
