import type Pusher from 'pusher-js';
import { expect, test } from 'vitest';

import { resume, type Position } from './resume';

function client() {
  let connected = () => {};
  let heard = (_event: string, _data: unknown) => {};
  const connection = { socket_id: '', bind: (_event: string, callback: () => void) => (connected = callback) };
  const pusher = { connection, bind_global: (callback: typeof heard) => (heard = callback) };
  const fresh: string[] = [];
  const resuming = resume();
  resuming.attach(pusher as unknown as Pusher, (channel) => fresh.push(channel));
  return {
    fresh,
    connect: (id: string) => {
      connection.socket_id = id;
      connected();
    },
    hear: (position: Position, event = 'leadwire:position') => heard(event, position),
    sent: () => JSON.parse(resuming.paramsProvider().leadwire) as { positions: Record<string, unknown>; except: string[] },
  };
}

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
