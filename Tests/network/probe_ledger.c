/* What became of every payload. All memory is taken at the start: noting an
 * arrival costs a few stores. */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_open(struct ledger *ledger, size_t capacity, size_t payload_size) {
    memset(ledger, 0, sizeof *ledger);
    ledger->payload_size = payload_size;
    ledger->capacity = capacity;
    ledger->records = calloc(capacity, sizeof *ledger->records);
    ledger->arrivals = calloc(capacity, sizeof *ledger->arrivals);
    if (ledger->records == NULL || ledger->arrivals == NULL) fail("calloc");
}

static uint8_t pattern_byte(uint64_t sequence, size_t index) {
    return (uint8_t)(sequence * 31 + index * 7 + 3);
}

void payload_fill(uint8_t *payload, size_t length, uint64_t sequence, jmp_time now) {
    memcpy(payload, &sequence, 8);
    memcpy(payload + 8, &now, 8);
    for (size_t i = 16; i < length; i++) payload[i] = pattern_byte(sequence, i);
}

void ledger_note(struct ledger *ledger, const uint8_t *payload, size_t length, uint32_t transport, jmp_time now) {
    uint64_t sequence = 0;
    jmp_time sent_at = 0;
    int is_damaged = length != ledger->payload_size;
    if (!is_damaged) {
        memcpy(&sequence, payload, 8);
        memcpy(&sent_at, payload + 8, 8);
        for (size_t i = 16; i < length; i++) is_damaged |= payload[i] != pattern_byte(sequence, i);
    }
    if (is_damaged || sequence >= ledger->capacity) {
        ledger->damaged++;
        return;
    }
    struct record *record = &ledger->records[sequence];
    if (record->arrived_at != 0) {
        ledger->duplicates++;
        return;
    }
    record->sent_at = sent_at;
    record->arrived_at = now;
    ledger->arrivals[ledger->arrived++] = (struct arrival){now, (uint32_t)sequence, transport};
}

void ledger_line(struct ledger *ledger, const char *line) {
    jmp_time from, until;
    if (sscanf(line, "fault %" SCNu64 " %" SCNu64, &from, &until) != 2) return;
    ledger->fault_from = from;
    ledger->fault_until = until;
}

struct gap {
    jmp_time from, to;
};

/* The longest time without an arrival that ends after `after`; sending that ended with no arrival leaves an open
 * gap, which counts too. */
static struct gap longest_gap(const struct ledger *ledger, jmp_time after) {
    struct gap longest = {0, 0};
    for (size_t i = 1; i < ledger->arrived; i++) {
        jmp_time from = ledger->arrivals[i - 1].time, to = ledger->arrivals[i].time;
        if (to > after && to - from > longest.to - longest.from) longest = (struct gap){from, to};
    }
    if (ledger->arrived > 0) {
        jmp_time last = ledger->arrivals[ledger->arrived - 1].time, end = ledger->sending_ended_at;
        if (end > after && end > last && end - last > longest.to - longest.from) longest = (struct gap){last, end};
    }
    return longest;
}

static int compare_times(const void *left, const void *right) {
    jmp_time a = *(const jmp_time *)left, b = *(const jmp_time *)right;
    return a < b ? -1 : a > b;
}

/* Round trip times (one-way: delays, since both ends read one clock) in microseconds of what arrived until a time: median,
 * 99 %, most. */
static void delays(const struct ledger *ledger, jmp_time until, jmp_time quantiles[3]) {
    jmp_time *all = calloc(ledger->arrived + 1, sizeof *all);
    if (all == NULL) fail("calloc");
    size_t count = 0;
    for (size_t i = 0; i < ledger->arrived && ledger->arrivals[i].time <= until; i++) {
        const struct record *record = &ledger->records[ledger->arrivals[i].sequence];
        all[count++] = record->arrived_at - record->sent_at;
    }
    qsort(all, count, sizeof *all, compare_times);
    quantiles[0] = count == 0 ? 0 : all[count / 2];
    quantiles[1] = count == 0 ? 0 : all[count * 99 / 100];
    quantiles[2] = count == 0 ? 0 : all[count - 1];
    free(all);
}

/* The first arrival over a transport after a time, 0: none. */
static jmp_time first_over(const struct ledger *ledger, uint32_t transport, jmp_time after) {
    for (size_t i = 0; i < ledger->arrived; i++)
        if (ledger->arrivals[i].time > after && ledger->arrivals[i].transport == transport) return ledger->arrivals[i].time;
    return 0;
}

/* The first arrival after a time of a payload that was sent after that time, 0: none. */
static jmp_time first_sent_after(const struct ledger *ledger, jmp_time after) {
    for (size_t i = 0; i < ledger->arrived; i++)
        if (ledger->records[ledger->arrivals[i].sequence].sent_at > after) return ledger->arrivals[i].time;
    return 0;
}

#define APPEND(...) (used += used < capacity ? (size_t)snprintf(text + used, capacity - used, __VA_ARGS__) : 0)

size_t ledger_summary(const struct ledger *ledger, int is_one_way, char *text, size_t capacity) {
    size_t used = 0;
    uint64_t window_sent = 0, window_lost = 0, lost = 0;
    /* A receiver knows of a payload only by it, or by a later one, having come. */
    size_t sent = ledger->sent;
    if (is_one_way)
        for (size_t i = 0; i < ledger->arrived; i++)
            if (ledger->arrivals[i].sequence >= sent) sent = ledger->arrivals[i].sequence + 1;
    for (size_t i = 0; i < sent; i++) {
        const struct record *record = &ledger->records[i];
        int is_inside = ledger->fault_from != 0 && record->sent_at >= ledger->fault_from && record->sent_at < ledger->fault_until;
        window_sent += (uint64_t)is_inside;
        window_lost += (uint64_t)(is_inside && record->arrived_at == 0);
        lost += record->arrived_at == 0;
    }
    jmp_time quantiles[3], steady[3];
    delays(ledger, JMP_TIME_NONE, quantiles);
    delays(ledger, ledger->fault_from == 0 ? JMP_TIME_NONE : ledger->fault_from, steady);
    struct gap overall = longest_gap(ledger, 0), fault = longest_gap(ledger, ledger->fault_from);
    APPEND("\"sent\":%zu,\"echoed\":%zu,\"lost\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"damaged\":%" PRIu64, sent,
           ledger->arrived, lost, ledger->duplicates, ledger->damaged);
    APPEND(",\"gap_us\":%" PRIu64 ",\"gap_from\":%" PRIu64 ",\"gap_to\":%" PRIu64, overall.to - overall.from, overall.from, overall.to);
    APPEND(",\"rtt_us\":{\"median\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}", quantiles[0], quantiles[1], quantiles[2]);
    APPEND(",\"steady_us\":{\"median\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}", steady[0], steady[1], steady[2]);
    APPEND(",\"first_arrival\":%" PRIu64 ",\"last_arrival\":%" PRIu64, ledger->arrived == 0 ? 0 : ledger->arrivals[0].time,
           ledger->arrived == 0 ? 0 : ledger->arrivals[ledger->arrived - 1].time);
    if (ledger->fault_from == 0) return used;
    APPEND(",\"fault_from\":%" PRIu64 ",\"fault_gap_us\":%" PRIu64 ",\"fault_gap_from\":%" PRIu64 ",\"fault_gap_to\":%" PRIu64,
           ledger->fault_from, fault.to - fault.from, fault.from, fault.to);
    APPEND(",\"window_sent\":%" PRIu64 ",\"window_lost\":%" PRIu64, window_sent, window_lost);
    APPEND(",\"first_on_b\":%" PRIu64 ",\"first_sent_after_fault\":%" PRIu64 ",\"first_sent_after_repair\":%" PRIu64,
           first_over(ledger, 1, ledger->fault_from), first_sent_after(ledger, ledger->fault_from),
           first_sent_after(ledger, ledger->fault_until));
    return used;
}
