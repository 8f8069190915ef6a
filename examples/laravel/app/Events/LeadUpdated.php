<?php

namespace App\Events;

class LeadUpdated extends LeadEvent
{
    public function broadcastAs(): string
    {
        return 'lead.updated';
    }
}
