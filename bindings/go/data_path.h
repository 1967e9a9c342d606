/* The calls a host makes for every datagram, over an endpoint's scratch memory. They take the scratch instead of the
 * endpoint because cgo boxes a pointer to an incomplete type, such as jmp_endpoint, to check it: an allocation per call. */
#ifndef JUMPING_GO_DATA_PATH_H
#define JUMPING_GO_DATA_PATH_H

#include "scratch.h"

static inline jmp_status jumping_go_send(jumping_go_scratch *scratch, jmp_session session, const uint8_t *payload,
                                         size_t payload_length, jmp_time now, uint8_t *buffer, size_t buffer_capacity) {
    return jmp_send(scratch->endpoint, session, payload, payload_length, now, buffer, buffer_capacity, &scratch->datagram);
}

static inline jmp_status jumping_go_send_batch(jumping_go_scratch *scratch, jmp_send_item *items, size_t count,
                                               const uint8_t *payloads, size_t payloads_length, jmp_time now,
                                               uint8_t *buffer, size_t buffer_length) {
    return jmp_send_batch(scratch->endpoint, items, count, payloads, payloads_length, now, buffer, buffer_length,
                          &scratch->count);
}

static inline jmp_status jumping_go_receive(jumping_go_scratch *scratch, uint32_t transport, uint8_t *datagram,
                                            size_t length, jmp_time now) {
    return jmp_receive(scratch->endpoint, transport, &scratch->address, datagram, length, now, &scratch->received);
}

static inline jmp_status jumping_go_receive_batch(jumping_go_scratch *scratch, jmp_receive_item *items, size_t count,
                                                  uint8_t *buffer, size_t buffer_length, jmp_time now) {
    return jmp_receive_batch(scratch->endpoint, items, count, buffer, buffer_length, now);
}

static inline jmp_status jumping_go_send_protected(jumping_go_scratch *scratch, jmp_session session, const uint8_t *payload,
                                                   size_t payload_length, jmp_time now) {
    return jmp_send_protected(scratch->endpoint, session, payload, payload_length, &scratch->payload_options, now);
}

static inline jmp_status jumping_go_poll_payload(jumping_go_scratch *scratch, jmp_time now, uint8_t *buffer,
                                                 size_t buffer_capacity) {
    return jmp_poll_payload(scratch->endpoint, now, buffer, buffer_capacity, &scratch->payload);
}

static inline jmp_status jumping_go_poll_transmit(jumping_go_scratch *scratch, jmp_time now, uint8_t *buffer,
                                                  size_t buffer_capacity) {
    return jmp_poll_transmit(scratch->endpoint, now, buffer, buffer_capacity, &scratch->datagram);
}

static inline jmp_status jumping_go_unsent(jumping_go_scratch *scratch, jmp_session session, uint64_t packet_number,
                                           jmp_time now) {
    return jmp_unsent(scratch->endpoint, session, packet_number, now);
}

static inline jmp_status jumping_go_poll_event(jumping_go_scratch *scratch) {
    return jmp_poll_event(scratch->endpoint, &scratch->event);
}

static inline jmp_status jumping_go_next_timeout(jumping_go_scratch *scratch) {
    return jmp_next_timeout(scratch->endpoint, &scratch->deadline);
}

static inline jmp_status jumping_go_handle_timeout(jumping_go_scratch *scratch, jmp_time now) {
    return jmp_handle_timeout(scratch->endpoint, now);
}

#endif
