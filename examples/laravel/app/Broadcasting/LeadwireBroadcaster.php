<?php

namespace App\Broadcasting;

use Illuminate\Broadcasting\Broadcasters\PusherBroadcaster;

/**
 * Laravel's Pusher driver, which also signs how far a client has heard a channel: the gateway then sends what it missed.
 * routes/channels.php decides who may listen, as ever.
 */
class LeadwireBroadcaster extends PusherBroadcaster
{
    public function validAuthenticationResponse($request, $result)
    {
        $heard = json_decode((string) $request->input('leadwire'), true);

        if (! is_array($heard)) {
            return parent::validAuthenticationResponse($request, $result); // a client without resume.js
        }

        $channel = $request->channel_name;
        $position = $heard['positions'][$channel] ?? [];
        $data = $this->member($request, $result) + [
            'leadwire' => $position + ['except' => $heard['except'] ?? []],
        ];

        return json_decode($this->pusher->authorizeChannel($channel, $request->socket_id, json_encode($data)), true);
    }

    /** Whose socket it is, so that terminateUserConnections() closes it; on presence channels, who is there. */
    private function member($request, $result): array
    {
        $user = $this->retrieveUser($request, $this->normalizeChannelName($request->channel_name));
        $id = (string) $user->getAuthIdentifier();

        return str_starts_with($request->channel_name, 'presence-')
            ? ['user_id' => $id, 'user_info' => $result, 'terminable' => true]
            : ['user_id' => $id];
    }
}
