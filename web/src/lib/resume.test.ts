import type Pusher from 'pusher-js';
import { afterEach, expect, test, vi } from 'vitest';

import { resume, type Position } from './resume';

type Done = (error: Error | null, data: unknown) => void;
type Bound = (event: unknown) => void;

function client() {
  const bound: Record<string, Bound[]> = {};
  let heard = (_event: string, _data: unknown) => {};
  const asked: string[] = [];
  let answer: (done: Done) => void = (done) => done(null, {});
  const ask = (what: string, done: Done) => {
    asked.push(what);
    answer(done);
  };
  const connection = {
    socket_id: '',
    state: 'connected',
    bind: (event: string, callback: Bound) => (bound[event] ??= []).push(callback),
  };
  const channels: Record<string, object> = {};
  const pusher = {
    connection,
    config: {
      channelAuthorizer: ({ channelName }: { channelName: string }, done: Done) => ask(channelName, done),
      userAuthenticator: (_params: object, done: Done) => ask('user', done),
    },
    bind_global: (callback: typeof heard) => (heard = callback),
    channel: (name: string) => channels[name],
  };
  const fresh: string[] = [];
  const resuming = resume();
  resuming.attach(pusher as unknown as Pusher, (channel) => fresh.push(channel));
  const tell = (name: string, event?: unknown) => bound[name]?.forEach((callback) => callback(event));
  return {
    fresh,
    asked,
    tell,
    connect: (id: string) => {
      connection.socket_id = id;
      tell('connected');
    },
    subscribe: (channelName: string) => {
      const subscribe = () =>
        pusher.config.channelAuthorizer({ socketId: connection.socket_id, channelName } as { channelName: string }, () => {});
      channels[channelName] = { subscribed: false, subscriptionPending: false, subscriptionCancelled: false, subscribe };
      subscribe();
    },
    answerWith: (status: number) => (answer = (done) => done(Object.assign(new Error('failed'), { status }), null)),
    hear: (position: Position, event = 'leadwire:position') => heard(event, position),
    sent: () => JSON.parse(resuming.paramsProvider().leadwire) as { positions: Record<string, unknown>; except: string[] },
  };
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('it opts in before anything was heard', () => {
  expect(client().sent()).toEqual({ positions: {}, except: [] });
});

test('it sends the last position of each channel, and the sockets it had', () => {
  const one = client();
  one.connect('1.1');
  one.hear({ channel: 'private-a', epoch: 'e', offset: 3, resumed: false, replayed: 0 });
  one.hear({ channel: 'private-b', epoch: 'e', offset: 4 });
  one.hear({ channel: 'private-a', epoch: 'e', offset: 5 });
  one.hear({ channel: 'private-a', epoch: 'e', offset: 9 }, 'another.event');

  expect(one.sent()).toEqual({
    positions: { 'private-a': { epoch: 'e', offset: 5 }, 'private-b': { epoch: 'e', offset: 4 } },
    except: ['1.1'],
  });
});

test('what it sends stays within what is accepted, and the oldest goes first', () => {
  const one = client();
  for (let number = 0; number < 101; number++) {
    one.connect(`${number}.1`);
    one.hear({ channel: `private-${number}`, epoch: 'e', offset: number });
    one.hear({ channel: 'private-0', epoch: 'e', offset: number });
  }

  const { positions, except } = one.sent();
  expect(Object.keys(positions)).toHaveLength(100);
  expect(positions).toHaveProperty('private-0');
  expect(positions).not.toHaveProperty('private-1');
  expect(except).toEqual(['100.1', '99.1', '98.1', '97.1', '96.1']);
});

test('it tells of channels that begin anew, not of those that were resumed', () => {
  const one = client();
  one.hear({ channel: 'private-a', epoch: 'e', offset: 3, resumed: false, replayed: 0 });
  one.hear({ channel: 'private-a', epoch: 'e', offset: 4 });
  one.hear({ channel: 'private-a', epoch: 'e', offset: 5, resumed: true, replayed: 1 });
  one.hear({ channel: 'private-b', epoch: 'f', offset: 6, resumed: false, replayed: 0 });

  expect(one.fresh).toEqual(['private-a', 'private-b']);
});

test.each([
  [0, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
  [0.5, [750, 1500, 3000, 6000, 12_000, 22_500, 22_500]],
])('it asks again later and later, never all at once, and at least every half minute (%s)', (chance, delays) => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(chance);
  const one = client();
  one.answerWith(503);
  one.connect('1.1');
  one.subscribe('private-a');
  delays.forEach((delay, before) => {
    vi.advanceTimersByTime(delay - 1 - (before ? 1 : 0));
    expect(one.asked).toHaveLength(before + 1);
    vi.advanceTimersByTime(2);
    expect(one.asked).toHaveLength(before + 2);
  });
});

test('a success starts the delays anew', () => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const one = client();
  one.answerWith(503);
  one.connect('1.1');
  one.subscribe('private-a');
  vi.advanceTimersByTime(3000);
  expect(one.asked).toHaveLength(3);
  one.tell('message', { event: 'pusher_internal:subscription_succeeded', channel: 'private-a' });
  vi.advanceTimersByTime(60_000);
  expect(one.asked).toHaveLength(3);
  one.subscribe('private-a');
  vi.advanceTimersByTime(1000);
  expect(one.asked).toHaveLength(5);
});
