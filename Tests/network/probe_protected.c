/* Protected payloads: what this end sends, and what came of the other end's.
 * A source of live data gives one at its interval; in bulk there is always one
 * more, as soon as the library takes it. */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BULK_AT_ONCE 8        /* between two looks at the sockets */
#define BULK_CHANNEL 1        /* in order, as a stream is */
#define PROGRESS_US 50000
#define SETTLING_US 10000000  /* how long what was accepted may take to be acknowledged at the end */

void stream_open(struct stream *stream, struct host *host, const struct options *options) {
    stream->options = options;
    stream->rate = options->is_bulk ? 0 : options->rate;
    stream->sends_bulk = options->is_bulk && options->role == JMP_ROLE_CLIENT;
    stream->held = malloc(options->payload_size);
    stream->buffer = malloc(JMP_PROTECTED_PAYLOAD_MAX);
    if (stream->held == NULL || stream->buffer == NULL) fail("malloc");
    ledger_open(&stream->ledger, options->capacity, options->payload_size);
    host->stream = stream;
}

/* The next payload and its time, unless one still waits for room. A payload whose time passed while the host was away, or
 * while another waited, is not sent late. Gives when the next is due: 0 for now. */
static jmp_time hold_next(struct stream *stream, jmp_time now) {
    if (stream->has_held) return 0;
    if (stream->ledger.sent >= stream->ledger.capacity) return JMP_TIME_NONE;
    if (!stream->sends_bulk) {
        if (stream->rate == 0) return JMP_TIME_NONE;
        jmp_time interval = 1000000 / stream->rate;
        if (stream->next_at == 0) stream->next_at = now;
        if (now < stream->next_at) return stream->next_at;
        uint64_t missed = (now - stream->next_at) / interval;
        stream->skipped += missed;
        stream->next_at += (missed + 1) * interval;
    }
    payload_fill(stream->held, stream->options->payload_size, stream->ledger.sent, now);
    stream->has_held = 1;
    return 0;
}

/* Gives the library the payload that is held. 1: it was taken. */
static int offer(struct stream *stream, struct host *host) {
    jmp_payload_options options;
    require(jmp_payload_options_init(&options), "jmp_payload_options_init");
    options.channel = stream->sends_bulk ? BULK_CHANNEL : 0;
    jmp_status status = jmp_send_protected(host->endpoint, host->session, stream->held, stream->options->payload_size, &options, clock_us());
    if (status == JMP_OK) {
        stream->has_held = 0;
        stream->ledger.sent++;
    } else if (status == JMP_AGAIN) {
        stream->is_full = 1; /* until the event Writable */
        stream->refused++;
    } else if (status == JMP_ERR_TERMINATED || status == JMP_ERR_SESSION) {
        stream->is_over = 1;
    } else {
        require(status, "jmp_send_protected");
    }
    host_drain(host);
    return status == JMP_OK;
}

/* Says once that nothing is on its way any more, or that it has taken too long. */
static jmp_time settle(struct stream *stream, struct host *host, jmp_time now) {
    if (stream->has_settled) return JMP_TIME_NONE;
    jmp_session_info info = {.struct_size = sizeof info};
    uint32_t left = 0;
    if (!host->is_terminated && jmp_session_get_info(host->endpoint, host->session, &info) == JMP_OK) left = info.protected_count;
    if (left > 0 && now < stream->ledger.sending_ended_at + SETTLING_US) return now + 1000;
    stream->has_settled = 1;
    print_line("{\"t\":%" PRIu64 ",\"settled\":true,\"left\":%u}", now, (unsigned)left);
    return JMP_TIME_NONE;
}

jmp_time stream_send(struct stream *stream, struct host *host) {
    jmp_time now = clock_us();
    if (stream->is_quiet) return settle(stream, host, now);
    if (host->is_terminated || stream->is_over) return JMP_TIME_NONE;
    for (int i = 0; i < BULK_AT_ONCE; i++) {
        if (stream->is_full) return JMP_TIME_NONE;
        jmp_time due = hold_next(stream, now);
        if (due != 0) return due;
        if (!offer(stream, host)) return JMP_TIME_NONE;
        now = clock_us();
    }
    return now;
}

void stream_note(struct stream *stream, const uint8_t *payload, size_t length, uint32_t transport, jmp_time now) {
    ledger_note(&stream->ledger, payload, length, transport, now);
    stream->received_bytes += length;
    if (!stream->options->is_bulk || now < stream->progress_at) return;
    stream->progress_at = now + PROGRESS_US;
    print_line("{\"t\":%" PRIu64 ",\"progress\":%" PRIu64 "}", now, stream->received_bytes);
}

void stream_poll(struct stream *stream, struct host *host, uint32_t transport) {
    jmp_payload payload = {.struct_size = sizeof payload};
    jmp_status status;
    while ((status = jmp_poll_payload(host->endpoint, clock_us(), stream->buffer, JMP_PROTECTED_PAYLOAD_MAX, &payload)) == JMP_OK)
        stream_note(stream, stream->buffer, payload.length, transport, clock_us());
    if (status != JMP_AGAIN) require(status, "jmp_poll_payload");
}

void stream_line(struct stream *stream, const char *line) {
    if (strcmp(line, "quiet") == 0 && !stream->is_quiet) {
        stream->is_quiet = 1;
        stream->ledger.sending_ended_at = clock_us();
    }
    ledger_line(&stream->ledger, line);
}

#define APPEND(...) (used += used < capacity ? (size_t)snprintf(text + used, capacity - used, __VA_ARGS__) : 0)

size_t stream_summary(const struct stream *stream, char *text, size_t capacity) {
    size_t used = ledger_summary(&stream->ledger, 1, text, capacity);
    APPEND(",\"accepted\":%zu,\"skipped\":%" PRIu64 ",\"refused\":%" PRIu64, stream->ledger.sent, stream->skipped, stream->refused);
    return used;
}
