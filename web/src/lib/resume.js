/**
 * Resume without loss, for unmodified pusher-js and Laravel Echo. Remembers how far each channel was heard, and lets the
 * authorisation endpoint sign it when the client comes back: the gateway then sends what was missed, once and in order.
 * When the endpoint fails, it is asked again: pusher-js asks once, and would never hear the channel.
 */

const CHANNELS = 100; // remembered; what the authorisation endpoint accepts
const SOCKETS = 5;
const FINAL = [401, 403]; // statuses of a refusal: asking again would not help

export function resume({ firstRetry = 1000, longestRetry = 30_000 } = {}) {
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
      retryAuthorization(pusher, firstRetry, longestRetry);
    },
  };
}

/**
 * Ask again when a channel or a sign-in could not be authorised: after `first` milliseconds, then after twice as many up to
 * `longest`, each time up to half of it less, so that not all clients ask at once. It ends with an answer, a refusal, the
 * connection, or the subscription.
 */
function retryAuthorization(pusher, first, longest) {
  const { config, connection, user } = pusher;
  const failures = new Map(); // what was to be authorised → how often that failed in a row
  const timers = new Map();

  const settle = (what) => {
    clearTimeout(timers.get(what));
    timers.delete(what);
    failures.delete(what);
  };
  const fail = (what, status, again) => {
    const count = failures.get(what) ?? 0;
    settle(what);
    if (FINAL.includes(status) || connection.state !== 'connected') return;
    failures.set(what, count + 1);
    const delay = Math.min(first * 2 ** count, longest) * (1 - Math.random() / 2);
    timers.set(what, setTimeout(again, delay));
  };
  const failChannel = (name, status) => {
    const channel = pusher.channel(name);
    if (!channel) {
      settle(name);
      return;
    }
    channel.subscriptionPending = false; // pusher-js forgets that when the gateway refuses
    fail(name, status, () => {
      const wanted = pusher.channel(name) === channel && !channel.subscriptionCancelled;
      if (wanted && !channel.subscribed && !channel.subscriptionPending) channel.subscribe();
    });
  };
  const failUser = (status) =>
    fail(user, status, () => {
      user.signin_requested = false; // otherwise pusher-js believes that it has asked
      pusher.signin();
    });

  const authorize = config.channelAuthorizer;
  config.channelAuthorizer = (params, done) =>
    authorize(params, (error, data) => {
      done(error, data);
      if (error && params.socketId === connection.socket_id) failChannel(params.channelName, error.status);
    });
  const authenticate = config.userAuthenticator;
  config.userAuthenticator = (params, done) =>
    authenticate(params, (error, data) => {
      done(error, data);
      if (error && params.socketId === connection.socket_id) failUser(error.status);
    });
  connection.bind('message', ({ event, channel, data }) => {
    if (event === 'pusher_internal:subscription_succeeded') settle(channel);
    if (event === 'pusher:signin_success') settle(user);
    if (event === 'pusher:subscription_error') failChannel(channel, data?.status); // as of a signature that came too late
  });
  connection.bind('state_change', ({ current }) => {
    if (current === 'connected') return;
    for (const timer of timers.values()) clearTimeout(timer); // pusher-js itself asks for everything when it is back
    timers.clear();
  });
}
