<?php

namespace App\Events;

class LeadCreated extends LeadEvent
{
    public function broadcastAs(): string
    {
        return 'lead.created';
    }
}
