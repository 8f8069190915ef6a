<?php

namespace App\Events;

class LeadDeleted extends LeadEvent
{
    public function broadcastAs(): string
    {
        return 'lead.deleted';
    }
}
