<?php

use App\Models\User;
use Illuminate\Support\Facades\Broadcast;

Broadcast::channel('company.{companyId}', fn (User $user, string $companyId) => (string) $user->company_id === $companyId);
