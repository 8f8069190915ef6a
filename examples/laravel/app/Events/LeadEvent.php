<?php

namespace App\Events;

use App\Models\CRM\Lead;
use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcast;
use Illuminate\Foundation\Events\Dispatchable;

abstract class LeadEvent implements ShouldBroadcast
{
    use Dispatchable, InteractsWithSockets;

    public bool $afterCommit = true; // a rolled back transaction is not broadcast

    private int|string $companyId;

    private array $data;

    /** The lead as it is now, not as it is when the queue gets to it; a deleted one is gone by then. */
    public function __construct(Lead $lead)
    {
        $this->companyId = $lead->company_id;
        $this->data = [
            'id' => $lead->id,
            'name' => $lead->name,
            'email' => $lead->email,
            'status' => $lead->status->value,
            'created_at' => $lead->created_at->toISOString(),
        ];
    }

    abstract public function broadcastAs(): string;

    public function broadcastOn(): PrivateChannel
    {
        // CORRECTION 1: `new Channel(…)` is public; whoever has the app key, which is in the page, could listen.
        return new PrivateChannel('company.'.$this->companyId);
    }

    public function broadcastWith(): array
    {
        return $this->data;
    }
}
