import { onMounted, onUnmounted } from 'vue';

/**
 * Keeps a page of leads live: `useLeadsRealtime(useLeads({ autoRefresh: false }), companyId)`.
 *
 * Loads only when the gateway says that a subscription begins anew: the first time, and after it was away for too long.
 * The channel is joined before the page is loaded, so nothing falls between the two.
 */
export function useLeadsRealtime({ leads, stats, loadLeads, ...rest }, companyId) {
    const channel = `company.${companyId}`;

    function put(lead) {
        const index = leads.value.data.findIndex(({ id }) => id === lead.id);
        if (index === -1) return false;
        leads.value.data[index] = { ...leads.value.data[index], ...lead };
        return true;
    }

    function onCreated(lead) {
        if (put(lead)) return; // the page that was just loaded has it already
        leads.value.data.unshift(lead);
        stats.value.total++;
        stats.value.new_this_month++;
    }

    function onDeleted({ id }) {
        const index = leads.value.data.findIndex((lead) => lead.id === id);
        if (index === -1) return;
        leads.value.data.splice(index, 1);
        stats.value.total--;
    }

    onMounted(() => {
        window.Echo.private(channel) // CORRECTION 1: private(…); channel(…) is public, for every tenant to read
            .listen('.lead.created', onCreated) // CORRECTION 2: the dot; else Echo listens for App\Events\lead\created
            .listen('.lead.updated', put)
            .listen('.lead.deleted', onDeleted)
            .listen('.leadwire:position', ({ resumed }) => resumed === false && loadLeads());
    });

    onUnmounted(() => window.Echo.leave(channel));

    return { leads, stats, loadLeads, ...rest };
}
