"""Real servers and whole stacks for every test. Fixtures, in the order of what they cost:

`nats`                  a NATS server of this test's own, with the users of deploy/nats/nats.conf and all streams:
                        `nats.url("notifier")`, `async with nats.client("operator") as client`, `nats.kill()`,
                        `nats.stop()`, `nats.start()` (same port, same store).
`leads_database`,       a fresh migrated database, cloned in some 40 ms: `.url("leads_app")`, `.url("leads_owner")`,
`notifier_database`     `.url("leads_relay")`, `.url("postgres")`, `.name`.
`empty_database`        the same without any table, owned by `leads_owner`.
`stack`                 all four services as processes of their own, ready, with two companies:
                        `async with stack.client("agent") as api: await api.post("/leads", json=…)`;
                        `stack.acme.users["agent"].token` (also `.id .email .password`), `stack.globex`,
                        `stack.kill("relay")` (SIGKILL), `stack.stop("relay")` (SIGTERM), `stack.start("relay")`,
                        `await stack.ready()`; names: api relay notifier gateway nats;
                        `stack.topology` knows every address, `stack.log("relay")` its log file.
`postgres_server`,      the session's servers, in containers when a Docker engine answers, else the embedded
`nats_server`           binaries. LEADWIRE_TEST_SERVERS=embedded|containers decides otherwise.
`new_nats`              a factory: `new_nats()` returns one more started, empty NATS server.

`support.waiting.until` waits for a condition; tests never wait for time. The ends of all servers' logs are shown with
a failure, and .leadwire/test-logs keeps them whole. No process outlives the session: not when a test fails, nor when
pytest itself is killed.
"""
