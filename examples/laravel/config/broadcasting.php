<?php

$pusher = [
    'key' => env('PUSHER_APP_KEY'),
    'secret' => env('PUSHER_APP_SECRET'),
    'app_id' => env('PUSHER_APP_ID'),
    'options' => [
        'cluster' => env('PUSHER_APP_CLUSTER'),
        'host' => env('PUSHER_HOST'),
        'port' => env('PUSHER_PORT', 443),
        'scheme' => env('PUSHER_SCHEME', 'https'),
        'useTLS' => env('PUSHER_SCHEME', 'https') === 'https',
    ],
];

return [
    'default' => env('BROADCAST_CONNECTION', 'leadwire'),

    'connections' => [
        'leadwire' => ['driver' => 'leadwire'] + $pusher, // clients that come back hear what they missed
        'pusher' => ['driver' => 'pusher'] + $pusher,     // Laravel's own driver works too, without that
        'log' => ['driver' => 'log'],
        'null' => ['driver' => 'null'],
    ],
];
