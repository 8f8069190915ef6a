<?php

namespace App\Providers;

use App\Broadcasting\LeadwireBroadcaster;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\ServiceProvider;
use Pusher\Pusher;

class BroadcastServiceProvider extends ServiceProvider
{
    public function boot(): void
    {
        Broadcast::extend('leadwire', fn ($app, array $config) => new LeadwireBroadcaster(
            new Pusher($config['key'], $config['secret'], $config['app_id'], $config['options'])
        ));

        Broadcast::routes(['middleware' => ['web', 'auth']]);

        require base_path('routes/channels.php');
    }
}
