import { expect, test } from 'vitest';

import { createFaults, type Fault } from './faults';

function given() {
  const logged: string[] = [];
  const told: Fault[] = [];
  const clock = { now: 0 };
  let count = 0;
  const faults = createFaults({ newId: () => `0000000${++count}-rest`, now: () => clock.now, log: (text, error) => logged.push(`${text} ${String(error)}`) });
  return { faults, logged, told, clock };
}

test('an error is logged and told under one id', () => {
  const { faults, logged, told } = given();
  faults.listen((fault) => told.push(fault));

  faults.report('render', new TypeError('n.trim is not a function'));

  expect(logged).toEqual(['[00000001] render TypeError: n.trim is not a function']);
  expect(told).toMatchObject([{ id: '00000001' }]);
});

test('what comes before the page is there is told when it is', () => {
  const { faults, told } = given();
  faults.report('start', new Error('early'));

  faults.listen((fault) => told.push(fault));

  expect(told).toHaveLength(1);
});

test('an error that repeats is logged each time and told once in a while', () => {
  const { faults, logged, told, clock } = given();
  faults.listen((fault) => told.push(fault));

  for (clock.now of [0, 1_000, 9_999, 10_000]) {
    faults.report('timer', new Error('again'));
  }

  expect(logged).toHaveLength(4);
  expect(told).toHaveLength(2);
});

test('what nobody caught is heard of, and what the browser says about layouts is not', () => {
  const { faults, told } = given();
  const listeners = new Map<string, (event: unknown) => void>();
  faults.listen((fault) => told.push(fault));
  faults.watch({ addEventListener: (name: string, listener: unknown) => listeners.set(name, listener as (event: unknown) => void) } as unknown as Window);

  listeners.get('error')!({ error: null, message: 'ResizeObserver loop completed with undelivered notifications.' });
  listeners.get('error')!({ error: new Error('in a callback'), message: 'Uncaught' });
  listeners.get('unhandledrejection')!({ reason: new Error('in a promise') });

  expect(told.map(({ error }) => (error as Error).message)).toEqual(['in a callback', 'in a promise']);
});
