/* Costs that must not grow with the number of sessions, beyond what the machine's caches make of more memory. That is measured
 * and named. Each operation is measured at 1,000 sessions as they come (warm), and at 1,000 sessions and at the large population
 * after the caches have been emptied before every chunk (cold). Emptied caches still find 1,000 sessions' page tables and index
 * in few lines, so the same visits are made to plain memory: a pointer of an array, then 8 cache lines of a record of 2 KiB,
 * for 1,000 records and for as many as there are sessions, both cold. The quotient is this machine's cache effect, and
 *
 *     floor at the large population = warm + (cold - warm) * cache effect
 *
 * The first datagram of an idle session makes its keys and its record of what was sent; among many sessions it is given memory that nobody has
 * used before. What the kernel takes for a page of such memory is measured too, and belongs to the floor as often as it happened.
 *
 * A search for an identifier that is not there is held against the same in a plain table: it misses one line or two, on a page that is a miss
 * of its own, and how many depends on how full the table happens to be (a gateway has 5 ids a session).
 */
#include "calls.h"
#include "crowd.h"
#include "pauses.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { FEW = 1000, ROUNDS = 9, CHUNK = 256, RARE_CHUNK = 32, RECORD = 2048, LINES = 8, IDS = 5, LINGER = 31000000 };

enum operation { DATAGRAM, FIRST_DATAGRAM, LOOKUP_HANDLE, LOOKUP_ID, TIMER, NEXT_TIMEOUT, REATTACH, EXPIRY, OPERATIONS };

static const char *const names[OPERATIONS] = {
    "datagram, seal and open", "first datagram of an idle session", "lookup by handle (jmp_session_get_stats)", "lookup of a foreign connection id", "timer that fires", "jmp_next_timeout",
    "reattach to a standby, gateway", "expiry, gateway",
};

struct course {
    struct crowd crowd;
    uint64_t random;
    bool is_cold;
    double costs[OPERATIONS][ROUNDS];
    double fresh_pages;   /* that one first datagram of an idle session was given by the kernel */
};

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void chill(struct course *course)
{
    if (course->is_cold) evict_caches();
}

static double pass_datagrams(struct course *course, int count)
{
    static const uint8_t payload[64];
    struct crowd *crowd = &course->crowd;
    uint8_t bytes[512];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    chill(course);
    double start = cpu_now();
    for (int i = 0; i < count; i++) {
        check(jmp_send(crowd->pair.client, crowd->client[crowd_visit(&course->crowd)], payload, sizeof payload, crowd->pair.now, bytes, sizeof bytes, &out), "jmp_send");
        check(jmp_receive(crowd->pair.gateway, 0, &usual_address, bytes, out.length, crowd->pair.now, &in), "jmp_receive");
        if (in.kind != JMP_RECEIVED_PAYLOAD) fail("a datagram was not delivered");
    }
    return (cpu_now() - start) / count;
}

/* The gateway owes each of the chunk's sessions an acknowledgement: as many timers, due when their delay is over. Each of them
 * makes a datagram, so that they can be counted. */
static double fire_timers(struct course *course)
{
    struct crowd *crowd = &course->crowd;
    double spent = 0;
    crowd->gateway_sent = 0;
    for (int steps = 0; crowd->gateway_sent < CHUNK && steps < 250; steps++) {
        crowd->pair.now += 4000;
        jmp_time next;
        check(jmp_next_timeout(crowd->pair.gateway, &next), "jmp_next_timeout");
        if (next <= crowd->pair.now) chill(course);
        double start = thread_cpu_now();
        check(jmp_handle_timeout(crowd->pair.gateway, crowd->pair.now), "jmp_handle_timeout");
        spent += thread_cpu_now() - start;
        crowd_settle(crowd);
    }
    if (crowd->gateway_sent < CHUNK) fail("the timers did not fire");
    return spent / CHUNK;
}

static double look_up_handles(struct course *course)
{
    struct crowd *crowd = &course->crowd;
    jmp_session_stats stats = { .struct_size = sizeof stats };
    chill(course);
    double start = cpu_now();
    for (int i = 0; i < CHUNK; i++) check(jmp_session_get_stats(crowd->pair.gateway, crowd->gateway[crowd_visit(&course->crowd)], &stats), "jmp_session_get_stats");
    return (cpu_now() - start) / CHUNK;
}

static double look_up_ids(struct course *course)
{
    struct crowd *crowd = &course->crowd;
    uint8_t bytes[94] = { 0x40 };
    jmp_received in = { .struct_size = sizeof in };
    chill(course);
    double start = cpu_now();
    for (int i = 0; i < CHUNK; i++) {
        uint64_t id = next_random(&course->random);
        memcpy(bytes + 1, &id, 8);
        check(jmp_receive(crowd->pair.gateway, 0, &usual_address, bytes, sizeof bytes, crowd->pair.now, &in), "jmp_receive");
    }
    return (cpu_now() - start) / CHUNK;
}

static double ask_next_timeout(struct course *course)
{
    jmp_time next;
    chill(course);
    double start = cpu_now();
    for (int i = 0; i < CHUNK; i++) check(jmp_next_timeout(course->crowd.pair.gateway, &next), "jmp_next_timeout");
    return (cpu_now() - start) / CHUNK;
}

/* The standby is validated first, unmeasured; then all of the chunk ask, and the gateway's calls are counted. */
static double reattach(struct course *course)
{
    struct crowd *crowd = &course->crowd;
    jmp_session sessions[RARE_CHUNK];
    uint32_t paths[RARE_CHUNK];
    jmp_address second = path_address(1);
    for (int i = 0; i < RARE_CHUNK; i++) {
        sessions[i] = crowd->client[crowd_visit(&course->crowd)];
        struct watch watch = pause_begin();
        jmp_status status = jmp_path_add(crowd->pair.client, sessions[i], 1, &second, crowd->pair.now, &paths[i]);
        pause_end(CALL_PATH_ADD, watch);
        check(status, "jmp_path_add");
    }
    crowd_wait(crowd, crowd->pair.now + 20000);
    chill(course);
    for (int i = 0; i < RARE_CHUNK; i++) {
        struct watch watch = pause_begin();
        jmp_status status = jmp_session_request_switch(crowd->pair.client, sessions[i], paths[i], crowd->pair.now);
        pause_end(CALL_REQUEST_SWITCH, watch);
        check(status, "jmp_session_request_switch");
    }
    crowd->gateway_spent = 0;
    crowd_settle(crowd);
    double spent = crowd->gateway_spent / RARE_CHUNK;
    for (int i = 0; i < RARE_CHUNK; i++) {
        jmp_session_info info = { .struct_size = sizeof info };
        struct watch watch = pause_begin();
        jmp_status status = jmp_session_get_info(crowd->pair.client, sessions[i], &info);
        pause_end(CALL_GET_INFO, watch);
        check(status, "jmp_session_get_info");
        if (info.active_transport != 1) fail("a session did not reattach");
    }
    return spent;
}

/* The oldest sessions reach the end of their lifetime, one chunk in one call. */
static double expire(struct course *course, int round)
{
    struct crowd *crowd = &course->crowd;
    jmp_time before = crowd->first_created_at + CROWD_LIFETIME + (jmp_time)(round * RARE_CHUNK) * CROWD_PACE - CROWD_PACE / 2;
    jmp_endpoint_stats earlier = { .struct_size = sizeof earlier }, later = earlier;
    if (crowd->pair.now > before) fail("the sessions are older than they should be");
    crowd_wait(crowd, before);
    check(jmp_endpoint_get_stats(crowd->pair.gateway, &earlier), "jmp_endpoint_get_stats");
    chill(course);
    crowd->pair.now = before + RARE_CHUNK * CROWD_PACE;
    double start = cpu_now();
    check(jmp_handle_timeout(crowd->pair.gateway, crowd->pair.now), "jmp_handle_timeout");
    double spent = cpu_now() - start;
    check(jmp_endpoint_get_stats(crowd->pair.gateway, &later), "jmp_endpoint_get_stats");
    uint64_t ended = later.sessions_terminated - earlier.sessions_terminated;
    if (ended == 0) fail("no session expired");
    crowd_settle(crowd);
    return spent / ended;
}

static void run_course(struct course *course, int first_expiry)
{
    crowd_wait(&course->crowd, course->crowd.pair.now + CROWD_FIRST_HEARTBEAT);
    for (int r = 0; r < ROUNDS; r++) {
        long before = page_faults();
        course->costs[FIRST_DATAGRAM][r] = pass_datagrams(course, RARE_CHUNK);
        course->fresh_pages += (double)(page_faults() - before) / (ROUNDS * RARE_CHUNK);
        crowd_wait(&course->crowd, course->crowd.pair.now + 20000);
    }
    for (int r = 0; r < ROUNDS; r++) {
        /* The same sessions twice: their keys and records are ready, and only then it is measured. */
        uint64_t from = course->crowd.next;
        pass_datagrams(course, CHUNK);
        fire_timers(course);
        course->crowd.next = from;
        course->costs[DATAGRAM][r] = pass_datagrams(course, CHUNK);
        course->costs[TIMER][r] = fire_timers(course);
        course->costs[LOOKUP_HANDLE][r] = look_up_handles(course);
        course->costs[LOOKUP_ID][r] = look_up_ids(course);
        course->costs[NEXT_TIMEOUT][r] = ask_next_timeout(course);
    }
    course->crowd.next = 0;
    for (int r = 0; r < ROUNDS; r++) {
        course->crowd.next = (uint64_t)(first_expiry + r) * RARE_CHUNK;
        course->costs[REATTACH][r] = reattach(course);
    }
}

static void run_expiry(struct course *course, int first_expiry)
{
    for (int r = 0; r < ROUNDS; r++) course->costs[EXPIRY][r] = expire(course, first_expiry + r);
}

/* New sessions take the places of those that expired, the lowest, where what is said of a transport is heard first. */
static void replace_expired(struct crowd *crowd)
{
    crowd_wait(crowd, crowd->pair.now + LINGER);
    for (uint32_t i = 0; i < ROUNDS * RARE_CHUNK; i++) crowd->client[i] = crowd_connect(crowd, &crowd->gateway[i]);
}

/* Nanoseconds that the kernel takes for a page of memory when it is written to for the first time. */
static double touch_fresh_pages(void)
{
    enum { PAGES = 4096, PAGE = 4096 };
    double costs[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        uint8_t *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail("no memory");
        double start = cpu_now();
        for (int i = 0; i < PAGES; i++) memory[i * PAGE] = 1;
        costs[r] = (cpu_now() - start) / PAGES;
        munmap(memory, PAGES * PAGE);
    }
    return median(costs, ROUNDS);
}

/* Nanoseconds of one visit to plain memory. */
static double touch_records(uint32_t count)
{
    double costs[ROUNDS];
    uint8_t *memory = allocate(count, RECORD), **records = allocate(count, sizeof *records);
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        records[i] = memory + (uint64_t)i * RECORD;
        for (int line = 0; line < RECORD; line += 64) records[i][line] = 1;
    }
    for (int r = 0; r < ROUNDS; r++) {
        evict_caches();
        double start = cpu_now();
        for (int i = 0; i < CHUNK; i++) {
            uint8_t *record = records[next++ * CROWD_STRIDE % count];
            for (int line = 0; line < LINES; line++) record[line * (RECORD / LINES)]++;
        }
        costs[r] = (cpu_now() - start) / CHUNK;
    }
    free(memory);
    free(records);
    return median(costs, ROUNDS);
}

/* Nanoseconds of a search for an id that is not there, in a plain table of so many with linear probing, as full as the gateway's and with
 * slots of the same 12 bytes: it grows by a quarter at seven tenths. */
static double search_table(uint32_t ids)
{
    double costs[ROUNDS];
    uint64_t slots = 64, random = 88172645463325252u, found = 0;
    while (slots * 7 < (uint64_t)ids * 10) slots += slots / 4;
    struct { uint32_t id[2], owner; } *table = allocate(slots, sizeof *table);
    for (uint32_t i = 0; i < ids; i++) {
        uint64_t id = next_random(&random), slot = id % slots;
        while (table[slot].owner) slot = (slot + 1) % slots;
        memcpy(table[slot].id, &id, sizeof id);
        table[slot].owner = i + 1;
    }
    for (int r = 0; r < ROUNDS; r++) {
        evict_caches();
        double start = cpu_now();
        for (int i = 0; i < CHUNK; i++) {
            uint64_t id = next_random(&random), slot = id % slots;
            while (table[slot].owner && memcmp(table[slot].id, &id, sizeof id) != 0) slot = (slot + 1) % slots;
            found += table[slot].owner;
        }
        costs[r] = (cpu_now() - start) / CHUNK;
    }
    free(table);
    if (found) fail("an id was found that should not be there");
    return median(costs, ROUNDS);
}

static void report_growth(struct course *few, struct course *cold, struct course *many, uint32_t count)
{
    double cold_touch = touch_records(FEW), many_touch = touch_records(count);
    double cold_search = search_table(FEW * IDS), many_search = search_table(count * IDS);
    double effect = many_touch / cold_touch > 1 ? many_touch / cold_touch : 1, search_effect = many_search / cold_search > 1 ? many_search / cold_search : 1;
    report(many_touch, "ns", cold_touch, NO_TARGET, 0, "cache effect: visit to one of %s plain records, cold (floor: of %s)",
           grouped(count), grouped(FEW));
    report(many_search, "ns", cold_search, NO_TARGET, 0, "cache effect: search in a plain table of %s ids, cold (floor: of %s)",
           grouped(count * IDS), grouped(FEW * IDS));
    double fresh_page = touch_fresh_pages();
    report(fresh_page, "ns", NO_FLOOR, NO_TARGET, 0, "page of fresh memory; a first datagram among %s sessions takes %.2f of them", grouped(count), many->fresh_pages);
    for (int i = 0; i < OPERATIONS; i++) {
        double pages = i == FIRST_DATAGRAM ? many->fresh_pages * fresh_page : 0;
        double warm_cost = median(few->costs[i], ROUNDS), cold_cost = median(cold->costs[i], ROUNDS), cost = median(many->costs[i], ROUNDS);
        double misses = cold_cost > warm_cost ? cold_cost - warm_cost : 0;
        report(warm_cost, "ns", NO_FLOOR, NO_TARGET, 0, "%s, %s sessions, warm", names[i], grouped(FEW));
        report(cold_cost, "ns", NO_FLOOR, NO_TARGET, 0, "%s, %s sessions, cold", names[i], grouped(FEW));
        report(cost, "ns", warm_cost + misses * (i == LOOKUP_ID ? search_effect : effect) + pages, RATIO_AT_MOST, 1.5, "%s, %s sessions, cold", names[i], grouped(count));
    }
}

static void run_population(struct course *course, uint64_t random, uint32_t count)
{
    memset(course, 0, sizeof *course);
    course->random = random;
    course->is_cold = true;
    crowd_open(&course->crowd, count);
    run_course(course, 0);
    call_sessions(&course->crowd);
    run_expiry(course, 0);
    replace_expired(&course->crowd);
    call_transports(&course->crowd);
    crowd_close(&course->crowd);
}

static void bench_case(struct course *few, struct course *cold, uint32_t count)
{
    static struct course many, again;
    pauses_reset();
    run_population(&many, few->random, count);
    if (pauses_repeat()) run_population(&again, few->random, count);
    char population[48];
    strcpy(population, grouped(count));
    strcat(population, " sessions");
    pauses_report(population);
    report_growth(few, cold, &many, count);
}

void bench_scale(const struct options *options)
{
    static const uint32_t small[] = { 20000 }, full[] = { 10000, 100000, 1000000 };
    static struct course few, cold;
    const uint32_t *populations = options->sessions ? &options->sessions : options->is_full ? full : small;
    few.random = cold.random = 88172645463325252u;
    crowd_open(&few.crowd, FEW);
    run_course(&few, 0);
    run_expiry(&few, 0);
    crowd_close(&few.crowd);
    cold.is_cold = true;
    crowd_open(&cold.crowd, FEW);
    run_course(&cold, 0);
    run_expiry(&cold, 0);
    crowd_close(&cold.crowd);
    for (int i = 0; i < (options->is_full && !options->sessions ? 3 : 1); i++) bench_case(&few, &cold, populations[i]);
}
