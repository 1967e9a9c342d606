/* simulate: plays worlds of endpoints, links, NATs and attackers over virtual time, and judges every step.
 *
 *   simulate --scenario NAME|all --seeds FROM..TO    every scenario with every seed
 *     --hours H          each world lasts so many simulated hours instead of what its scenario says (a soak)
 *     --minutes M        goes on with further seeds until so many minutes of real time have passed
 *     --cpu-limit S      seconds of CPU a world may take before it counts as hung (default 120)
 *     --shrink           makes the schedule of a failure shorter before it is printed
 *     --json             failures and summary as lines of JSON
 *     --hashes           one hash per world over all its datagrams and events
 *     --trace FILE       every event of every node as lines of JSON (for one world; several are appended)
 *   simulate --schedule FILE…     plays schedules that were printed or kept
 *   simulate --print-schedule --scenario NAME --seeds N..N    prints what would happen
 *   simulate --list               names and meanings of the scenarios
 *
 * Exit status 0: no rule was broken; 1: one was; 2: wrong arguments. A failure is printed as a schedule that --schedule reads.
 * SIMULATION_PLANT=lose_transition|deliver_twice|deliver_protected_twice|crash|hang plants a mistake at each `rebind`, to show that it is found. */
#include "shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND 1000000u

enum { SHRINK_TRIES = 400, DEFAULT_CPU_LIMIT_S = 120, HANG_LIMIT_S = 5, MAX_FILES = 256 };

static struct {
    const char *scenario, *trace;
    const char *files[MAX_FILES];
    size_t file_count;
    uint64_t from, to;
    double hours, minutes;
    unsigned cpu_limit_s;
    bool shrinks, is_json, shows_hashes, prints_schedule, lists;
} arguments = { .from = 1, .to = 1, .cpu_limit_s = DEFAULT_CPU_LIMIT_S };

static struct {
    uint64_t runs, failed, scenarios, session_us, datagrams, actions, sealings;
    struct observer_counts counts;
    uint64_t attacks;
} total;

static FILE *trace;

/* -------------------------------------------------------------------- output */

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        if ((unsigned char)*text >= 0x20) putchar(*text);
    }
    putchar('"');
}

static void print_schedule(const struct world_options *options, const struct schedule *schedule)
{
    char line[512];
    printf("scenario %s\nseed %" PRIu64 "\nduration_us %" PRIu64 "\n", options->scenario->name, options->seed, options->duration_us);
    for (size_t i = 0; i < schedule->count; i++) {
        action_print(&schedule->actions[i], line, sizeof line);
        puts(line);
    }
}

static void print_failure(const struct world_options *options, const struct schedule *schedule, const struct outcome *outcome)
{
    char line[512];
    if (!arguments.is_json) {
        printf("FAILED scenario %s seed %" PRIu64 " rule %s at %.6f s: %s\n", options->scenario->name, options->seed, outcome->rule,
               (double)outcome->now / SECOND, outcome->text);
        printf("# %s: %s\n", outcome->rule, outcome->text);
        print_schedule(options, schedule);
        puts("# end");
        return;
    }
    printf("{\"failure\": {\"scenario\": \"%s\", \"seed\": %" PRIu64 ", \"rule\": ", options->scenario->name, options->seed);
    print_json_text(outcome->rule);
    printf(", \"at_us\": %" PRIu64 ", \"duration_us\": %" PRIu64 ", \"text\": ", outcome->now, options->duration_us);
    print_json_text(outcome->text);
    printf(", \"schedule\": [");
    for (size_t i = 0; i < schedule->count; i++) {
        action_print(&schedule->actions[i], line, sizeof line);
        if (i) printf(", ");
        print_json_text(line);
    }
    puts("]}}");
}

static double cpu_seconds(void)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + children.ru_utime.tv_sec + children.ru_stime.tv_sec)
        + (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + children.ru_utime.tv_usec + children.ru_stime.tv_usec) / 1e6;
}

static void print_summary(void)
{
    const struct observer_counts *c = &total.counts;
    double minutes = cpu_seconds() / 60, hours = (double)total.session_us / 3600e6, rate = minutes > 0 ? hours / minutes : 0;
    if (!arguments.is_json) {
        printf("worlds %" PRIu64 " (%" PRIu64 " scenarios), failed %" PRIu64 ", session-hours %.2f, CPU minutes %.2f, session-hours per CPU minute %.2f\n",
               total.runs, total.scenarios, total.failed, hours, minutes, rate);
        printf("actions %" PRIu64 ", attacks %" PRIu64 ", datagrams %" PRIu64 ", sealings %" PRIu64 ", transitions %" PRIu64 ", binds %" PRIu64
               ", switches %" PRIu64 ", terminations %" PRIu64 ", payloads %" PRIu64 "\n", total.actions, total.attacks, total.datagrams,
               total.sealings, c->transitions, c->binds, c->switches, c->terminations, c->payloads_delivered);
        printf("judged: replays %" PRIu64 ", forgeries %" PRIu64 ", replayed handshakes %" PRIu64 ", amplification %" PRIu64 ", liveness %" PRIu64 "\n",
               c->replays_judged, c->forgeries_judged, c->replayed_handshakes_judged, c->amplification_judged, c->liveness_judged);
        return;
    }
    printf("{\"summary\": {\"worlds\": %" PRIu64 ", \"scenarios\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"session_hours\": %.3f, \"cpu_minutes\": %.3f, "
           "\"session_hours_per_cpu_minute\": %.3f, \"actions\": %" PRIu64 ", \"attacks\": %" PRIu64 ", \"datagrams\": %" PRIu64
           ", \"sealings\": %" PRIu64 ", \"transitions\": %" PRIu64 ", \"switches\": %" PRIu64 ", \"terminations\": %" PRIu64 "}}\n",
           total.runs, total.scenarios, total.failed, hours, minutes, rate, total.actions, total.attacks, total.datagrams,
           total.sealings, c->transitions, c->switches, c->terminations);
}

/* -------------------------------------------------------------------- running */

static enum plant planted(void)
{
    static const char *const names[PLANTS] = { "none", "lose_transition", "deliver_twice", "deliver_protected_twice", "crash", "hang" };
    const char *name = getenv("SIMULATION_PLANT");
    for (int i = 0; name && i < PLANTS; i++)
        if (!strcmp(name, names[i])) return (enum plant)i;
    if (!name) return PLANT_NONE;
    fprintf(stderr, "SIMULATION_PLANT: no plant is called %s\n", name);
    exit(2);
}

static void add_to_total(const struct outcome *outcome)
{
    const uint64_t *from = (const uint64_t *)&outcome->counts;
    uint64_t *to = (uint64_t *)&total.counts;
    for (size_t i = 0; i < sizeof total.counts / sizeof *to; i++) to[i] += from[i];
    for (int a = 0; a < ATTACK_COUNT; a++) total.attacks += outcome->attacks[a];
    total.runs++;
    total.failed += outcome->is_failed;
    total.session_us += outcome->session_us;
    total.datagrams += outcome->datagrams;
    total.actions += outcome->actions;
    total.sealings += outcome->sealings;
}

static void play_and_report(struct world_options *options, struct schedule *schedule)
{
    struct outcome outcome;
    options->schedule = schedule;
    options->plant = planted();
    options->trace = trace;
    play_apart(options, arguments.cpu_limit_s, &outcome);
    add_to_total(&outcome);
    if (arguments.shows_hashes) printf("hash %s %" PRIu64 " %016" PRIx64 "\n", options->scenario->name, options->seed, outcome.hash);
    if (!outcome.is_failed) return;
    if (arguments.shrinks) {
        unsigned limit_s = strcmp(outcome.rule, "hang") || arguments.cpu_limit_s < HANG_LIMIT_S ? arguments.cpu_limit_s : HANG_LIMIT_S;
        shrink(options, schedule, outcome.rule, limit_s, SHRINK_TRIES);
        struct outcome shorter;
        options->schedule = schedule;
        play_apart(options, limit_s, &shorter);
        if (shorter.is_failed && !strcmp(shorter.rule, outcome.rule)) outcome = shorter;
    }
    print_failure(options, schedule, &outcome);
    fflush(stdout);
}

static void play_seed(const struct scenario *scenario, uint64_t seed)
{
    struct world_options options = { .scenario = scenario, .seed = seed, .duration_us = (jmp_time)scenario->duration_s * SECOND };
    struct schedule schedule = { 0 };
    if (arguments.hours > 0) options.duration_us = (jmp_time)(arguments.hours * 3600e6);
    scenario_schedule(scenario, seed, options.duration_us, &schedule);
    if (arguments.prints_schedule) print_schedule(&options, &schedule);
    else play_and_report(&options, &schedule);
    schedule_free(&schedule);
}

static bool read_schedule(const char *name, struct world_options *options, struct schedule *schedule)
{
    char line[512], word[64];
    FILE *file = fopen(name, "r");
    struct action action;
    bool is_good = true;
    if (!file) {
        perror(name);
        return false;
    }
    while (is_good && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!*line || *line == '#' || !strncmp(line, "FAILED ", 7)) continue;
        if (sscanf(line, "scenario %63s", word) == 1) is_good = (options->scenario = scenario_named(word)) != NULL;
        else if (sscanf(line, "seed %" SCNu64, &options->seed) == 1 || sscanf(line, "duration_us %" SCNu64, &options->duration_us) == 1) { }
        else if ((is_good = action_parse(line, &action))) schedule_add(schedule, &action);
        if (!is_good) fprintf(stderr, "%s: not understood: %s\n", name, line);
    }
    fclose(file);
    if (is_good && (!options->scenario || !options->duration_us)) {
        fprintf(stderr, "%s: no scenario or no duration_us\n", name);
        is_good = false;
    }
    return is_good;
}

static int play_files(void)
{
    for (size_t i = 0; i < arguments.file_count; i++) {
        struct world_options options = { .seed = 1 };
        struct schedule schedule = { 0 };
        if (!read_schedule(arguments.files[i], &options, &schedule)) return 2;
        uint64_t failed = total.failed;
        play_and_report(&options, &schedule);
        if (total.failed > failed && !arguments.is_json) printf("# from %s\n", arguments.files[i]);
        schedule_free(&schedule);
    }
    return 0;
}

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void play_seeds(void)
{
    double begin = now_s();
    bool is_all = !strcmp(arguments.scenario, "all");
    for (uint64_t seed = arguments.from; seed <= arguments.to || now_s() - begin < arguments.minutes * 60; seed++)
        for (size_t i = 0; i < scenario_count; i++) {
            if (!is_all && strcmp(arguments.scenario, scenarios[i].name)) continue;
            if (seed == arguments.from) total.scenarios++;
            if (seed > arguments.to && now_s() - begin >= arguments.minutes * 60) break;
            play_seed(&scenarios[i], seed);
        }
}

/* ------------------------------------------------------------------ arguments */

static const char *take_value(int argc, char **argv, int *at)
{
    return *at + 1 < argc ? argv[++*at] : "";
}

static bool parse_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        char *end = NULL;
        if (!strcmp(name, "--shrink")) arguments.shrinks = true;
        else if (!strcmp(name, "--json")) arguments.is_json = true;
        else if (!strcmp(name, "--hashes")) arguments.shows_hashes = true;
        else if (!strcmp(name, "--list")) arguments.lists = true;
        else if (!strcmp(name, "--print-schedule")) arguments.prints_schedule = true;
        else if (!strcmp(name, "--scenario")) arguments.scenario = take_value(argc, argv, &i);
        else if (!strcmp(name, "--trace")) arguments.trace = take_value(argc, argv, &i);
        else if (!strcmp(name, "--hours")) arguments.hours = atof(take_value(argc, argv, &i));
        else if (!strcmp(name, "--minutes")) arguments.minutes = atof(take_value(argc, argv, &i));
        else if (!strcmp(name, "--cpu-limit")) arguments.cpu_limit_s = (unsigned)atoi(take_value(argc, argv, &i));
        else if (!strcmp(name, "--schedule")) {
            while (i + 1 < argc && strncmp(argv[i + 1], "--", 2) && arguments.file_count < MAX_FILES)
                arguments.files[arguments.file_count++] = argv[++i];
            if (!arguments.file_count) return false;
        } else if (!strcmp(name, "--seeds")) {
            const char *range = take_value(argc, argv, &i);
            arguments.from = arguments.to = strtoull(range, &end, 10);
            if (end == range || (*end && strncmp(end, "..", 2))) return false;
            if (*end) arguments.to = strtoull(end + 2, &end, 10);
        } else return false;
    }
    if (arguments.file_count || arguments.lists) return true;
    return arguments.scenario && arguments.from <= arguments.to && arguments.cpu_limit_s > 0
        && (!strcmp(arguments.scenario, "all") || scenario_named(arguments.scenario));
}

int main(int argc, char **argv)
{
    if (!parse_arguments(argc, argv)) {
        fprintf(stderr, "usage: simulate --scenario NAME|all --seeds FROM..TO [--hours H] [--minutes M] [--cpu-limit S] [--trace FILE.jsonl]\n"
                        "                [--shrink] [--json] [--hashes] [--print-schedule]\n"
                        "       simulate --schedule FILE… | --list\n");
        return 2;
    }
    if (arguments.lists) {
        for (size_t i = 0; i < scenario_count; i++) printf("%-16s %s\n", scenarios[i].name, scenarios[i].what);
        return 0;
    }
    if (arguments.trace && !(trace = fopen(arguments.trace, "w"))) {
        perror(arguments.trace);
        return 2;
    }
    if (arguments.file_count) {
        int status = play_files();
        if (status) return status;
    } else {
        play_seeds();
    }
    if (!arguments.prints_schedule) print_summary();
    if (trace && fclose(trace)) return 2;
    return total.failed ? 1 : 0;
}
