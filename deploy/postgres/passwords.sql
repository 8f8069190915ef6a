-- Each role's password, from the file that is called like the role: psql reads it, no command line shows it.
\set ON_ERROR_STOP on
\set leads_owner `cat "$SECRETS/leads_owner"`
\set leads_app `cat "$SECRETS/leads_app"`
\set leads_relay `cat "$SECRETS/leads_relay"`
\set notifier_owner `cat "$SECRETS/notifier_owner"`
\set notifier_app `cat "$SECRETS/notifier_app"`
\set notifier_writer `cat "$SECRETS/notifier_writer"`
ALTER ROLE leads_owner PASSWORD :'leads_owner';
ALTER ROLE leads_app PASSWORD :'leads_app';
ALTER ROLE leads_relay PASSWORD :'leads_relay';
ALTER ROLE notifier_owner PASSWORD :'notifier_owner';
ALTER ROLE notifier_app PASSWORD :'notifier_app';
ALTER ROLE notifier_writer PASSWORD :'notifier_writer';
