/* A gateway's host that is asked about every new session (JMP_CONFIG_ASK): it takes its time, and then says yes to clients it knows, most of the
 * time, and no to everybody else. */
#include "host_parts.h"

#include <string.h>

enum { LONGEST_THOUGHT_US = 400000, REFUSED_PPM = 100000, RETRY_US = 100000 };

/* Which client asks: by the hint in clear, or by the key it has proved. 0: none we know. */
static uint32_t asking_client(const struct world *world, const jmp_event *event)
{
    uint8_t psk[JMP_KEY_SIZE], secret[JMP_KEY_SIZE], key[JMP_KEY_SIZE], hint[JMP_HINT_MAX];
    for (uint32_t c = 1; c <= world->clients; c++) {
        host_secrets(world, c, psk, secret, hint);
        if (event->pattern == JMP_PATTERN_NNPSK0 && event->hint_length == strlen((char *)hint) && !memcmp(event->hint, hint, event->hint_length)) return c;
        if (event->pattern == JMP_PATTERN_IKPSK2 && jmp_public_key(secret, key) == JMP_OK && !memcmp(event->peer_key, key, sizeof key)) return c;
    }
    return 0;
}

void host_take_request(struct host *host, const jmp_event *event)
{
    struct request *request = &host->requests[host->request_count];
    if (host->request_count == HOST_MAX_REQUESTS) return;       /* left to expire, as by a host that is too busy */
    host->request_count++;
    request->session = event->session;
    request->client = asking_client(host->world, event);
    request->pattern = event->pattern;
    request->at = host->world->now + 1 + random_below(&host->random, LONGEST_THOUGHT_US);
}

/* Whether the request is dealt with. */
static bool answer(struct host *host, struct request *request)
{
    uint8_t psk[JMP_KEY_SIZE], secret[JMP_KEY_SIZE], hint[JMP_HINT_MAX];
    bool says_yes = request->client && !random_chance(&host->random, REFUSED_PPM);
    const char *call = says_yes ? "accept" : "refuse";
    jmp_status status;
    if (says_yes) {
        host_secrets(host->world, request->client, psk, secret, hint);
        bool has_psk = request->pattern == JMP_PATTERN_NNPSK0 || request->client % 2;
        status = jmp_accept(host->endpoint, request->session, has_psk ? psk : NULL, host_clock(host));
    } else {
        status = jmp_refuse(host->endpoint, request->session, host_clock(host));
    }
    jmp_session session = request->session;
    bool is_done = status != JMP_AGAIN;
    if (!is_done) request->at = host->world->now + RETRY_US;
    /* It expired meanwhile; the bytes were no client's; a client that repeats itself has a session already. */
    if (status != JMP_AGAIN && status != JMP_ERR_SESSION && status != JMP_ERR_STATE && status != JMP_ERR_KEY && status != JMP_ERR_EXISTS)
        host_expect_ok(host, call, status);
    host_called(host, call, status, session);
    return is_done;
}

void host_answer_requests(struct host *host)
{
    for (size_t i = 0; i < host->request_count && !world_has_failed(host->world); ) {
        if (host->requests[i].at > host->world->now || !answer(host, &host->requests[i])) {
            i++;
            continue;
        }
        /* Answering may have brought new ones, behind this one. */
        memmove(&host->requests[i], &host->requests[i + 1], (host->request_count - i - 1) * sizeof *host->requests);
        host->request_count--;
    }
}
