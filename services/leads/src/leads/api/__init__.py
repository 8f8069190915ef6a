"""The REST API: translates between HTTP and the service; decides nothing about leads."""
