/* What an endpoint's calls write into. It lies in C memory, once per endpoint, for two reasons: cgo lets everything
 * whose address reaches C escape to the Go heap, which would cost an allocation per call, and C may then be given
 * pointers between these members freely. */
#ifndef JUMPING_GO_SCRATCH_H
#define JUMPING_GO_SCRATCH_H

#include <jumping.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define JUMPING_GO_MESSAGE_SIZE 4096

typedef struct jumping_go_scratch {
    jmp_endpoint *endpoint;
    jmp_config config;
    jmp_policy policy;
    jmp_transport_config transport_config;
    jmp_connect_config connect_config;
    jmp_address address;
    jmp_datagram datagram;
    jmp_received received;
    jmp_payload_options payload_options;
    jmp_payload payload;
    jmp_event event;
    jmp_session_info session_info;
    jmp_session_stats session_stats;
    jmp_endpoint_stats endpoint_stats;
    jmp_path_info paths[JMP_MAX_PATHS];
    uint8_t key[JMP_KEY_SIZE];
    uint8_t second_key[JMP_KEY_SIZE];
    uint8_t hint[JMP_HINT_MAX];
    jmp_session session;
    jmp_time deadline;
    size_t count;
    uint32_t number;
    jmp_status status;
    char message[JUMPING_GO_MESSAGE_SIZE];
} jumping_go_scratch;

/* Microseconds of CLOCK_BOOTTIME, the clock jmp_time asks for; 0 when the kernel has none. */
static inline uint64_t jumping_go_now(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

#endif
