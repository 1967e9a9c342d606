/* What both roles tell at the end about the session and the endpoint. */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>

#define APPEND(...) (used += used < capacity ? (size_t)snprintf(text + used, capacity - used, __VA_ARGS__) : 0)

static size_t session_fields(struct host *host, char *text, size_t capacity) {
    size_t used = 0;
    jmp_session_info info = {.struct_size = sizeof info};
    jmp_session_stats stats = {.struct_size = sizeof stats};
    if (host->session == 0 || jmp_session_get_info(host->endpoint, host->session, &info) != JMP_OK) return used;
    APPEND(",\"end_state\":\"%s\",\"last_reason\":\"%s\",\"state_version\":%" PRIu64 ",\"binding_version\":%" PRIu64
           ",\"active_transport\":%u,\"srtt_us\":%u,\"rttvar_us\":%u,\"suite\":\"%s\"",
           jmp_state_name(info.state), jmp_reason_name(info.last_reason), info.state_version, info.binding_version,
           (unsigned)info.active_transport, (unsigned)info.srtt_us, (unsigned)info.rttvar_us, jmp_suite_name(info.suite));
    if (jmp_session_get_stats(host->endpoint, host->session, &stats) != JMP_OK) return used;
    APPEND(",\"session_stats\":{\"datagrams_sent\":%" PRIu64 ",\"datagrams_received\":%" PRIu64 ",\"bytes_sent\":%" PRIu64
           ",\"datagrams_lost\":%" PRIu64 ",\"replayed\":%" PRIu64 ",\"too_old\":%" PRIu64 ",\"bad_tag\":%" PRIu64
           ",\"switches\":%" PRIu64 ",\"switches_denied\":%" PRIu64 ",\"reattach_attempts\":%" PRIu64,
           stats.datagrams_sent, stats.datagrams_received, stats.bytes_sent, stats.datagrams_lost, stats.replayed,
           stats.too_old, stats.bad_tag, stats.switches, stats.switches_denied, stats.reattach_attempts);
    APPEND(",\"protected_sent\":%" PRIu64 ",\"protected_acknowledged\":%" PRIu64 ",\"protected_received\":%" PRIu64
           ",\"protected_duplicates\":%" PRIu64 ",\"protected_datagrams_lost\":%" PRIu64 ",\"protected_bytes_resent\":%" PRIu64 "}",
           stats.protected_sent, stats.protected_acknowledged, stats.protected_received, stats.protected_duplicates,
           stats.protected_datagrams_lost, stats.protected_bytes_resent);
    return used;
}

static size_t endpoint_fields(struct host *host, char *text, size_t capacity) {
    size_t used = 0;
    jmp_endpoint_stats stats = {.struct_size = sizeof stats};
    require(jmp_endpoint_get_stats(host->endpoint, &stats), "jmp_endpoint_get_stats");
    APPEND(",\"handshakes\":%" PRIu64 ",\"late_calls\":%" PRIu64 ",\"dropped\":{", stats.handshakes_completed, stats.late_calls);
    const char *separator = "";
    for (uint32_t cause = 0; cause < JMP_DROP_CAUSES; cause++) {
        if (stats.dropped[cause] == 0) continue;
        APPEND("%s\"%s\":%" PRIu64, separator, jmp_drop_name(cause), stats.dropped[cause]);
        separator = ",";
    }
    APPEND("}");
    return used;
}

size_t host_summary(struct host *host, char *text, size_t capacity) {
    size_t used = 0;
    APPEND("\"session_id\":\"");
    for (size_t i = 0; i < JMP_SESSION_ID_SIZE; i++) APPEND("%02x", host->session_id[i]);
    APPEND("\",\"session_ids\":%u,\"bound\":\"%s\",\"unsent\":%" PRIu64 ",\"worst_wake_us\":%" PRIu64 ",\"events_dropped\":%" PRIu64,
           host->session_ids, host->bound_address, host->unsent, host->worst_wake_us, host->events_dropped);
    APPEND(",\"switches\":%zu,\"switch_times\":[", host->switch_count);
    for (size_t i = 0; i < host->switch_count; i++) APPEND("%s%" PRIu64, i == 0 ? "" : ",", host->switch_times[i]);
    APPEND("],\"states\":[");
    for (size_t i = 0; i < host->state_count; i++)
        APPEND("%s{\"t\":%" PRIu64 ",\"from\":\"%s\",\"to\":\"%s\",\"reason\":\"%s\"}", i == 0 ? "" : ",", host->states[i].time,
               jmp_state_name(host->states[i].from), jmp_state_name(host->states[i].to), jmp_reason_name(host->states[i].reason));
    APPEND("],\"events\":{");
    const char *separator = "";
    for (uint32_t type = 0; type < 64; type++) {
        if (host->event_counts[type] == 0) continue;
        APPEND("%s\"%s\":%" PRIu64, separator, jmp_event_name(type), host->event_counts[type]);
        separator = ",";
    }
    APPEND("}");
    used += session_fields(host, text + used, capacity - used);
    used += endpoint_fields(host, text + used, capacity - used);
    return used;
}
