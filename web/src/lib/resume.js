/**
 * Resume without loss, for unmodified pusher-js and Laravel Echo. Remembers how far each channel was heard, and lets the
 * authorisation endpoint sign it when the client comes back: the gateway then sends what was missed, once and in order.
 */

const CHANNELS = 100; // remembered; what the authorisation endpoint accepts
const SOCKETS = 5;

export function resume() {
  const positions = new Map(); // channel → where we are: the stream's epoch, the number of the last event
  const sockets = []; // ids that we had: what excluded them was our own doing
  return {
    paramsProvider: () => ({
      leadwire: JSON.stringify({ positions: Object.fromEntries(positions), except: sockets }),
    }),
    attach(pusher, onFresh = () => {}) {
      pusher.connection.bind('connected', () => {
        sockets.unshift(pusher.connection.socket_id);
        sockets.splice(SOCKETS);
      });
      pusher.bind_global((event, data) => {
        if (event !== 'leadwire:position') return;
        positions.delete(data.channel); // the one heard last stands last
        positions.set(data.channel, { epoch: data.epoch, offset: data.offset });
        if (positions.size > CHANNELS) positions.delete(positions.keys().next().value);
        if (data.resumed === false) onFresh(data.channel);
      });
    },
  };
}
