#include "shrink.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000u

/* ------------------------------------------------------------ a process apart */

static void give_up_on_hang(int signal)
{
    (void)signal;
    _exit(99);
}

static void play_in_child(const struct world_options *options, unsigned cpu_limit_s)
{
    struct rlimit cpu = { cpu_limit_s, cpu_limit_s + 2 }, core = { 0, 0 };
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
    signal(SIGXCPU, give_up_on_hang);
    world_play(options);
    if (options->trace) fflush(options->trace);
    _exit(0);
}

void play_apart(const struct world_options *options, unsigned cpu_limit_s, struct outcome *outcome)
{
    static struct outcome *shared;
    struct world_options own = *options;
    int status = 0;
    if (!shared) {
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) abort();
    }
    memset(shared, 0, sizeof *shared);
    own.outcome = shared;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) abort();
    if (child == 0) play_in_child(&own, cpu_limit_s);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) { }
    *outcome = *shared;
    if (outcome->is_failed || (outcome->is_finished && WIFEXITED(status) && WEXITSTATUS(status) == 0)) return;
    outcome->is_failed = true;
    bool is_hang = (WIFEXITED(status) && WEXITSTATUS(status) == 99) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    strcpy(outcome->rule, is_hang ? "hang" : "crash");
    if (is_hang) snprintf(outcome->text, sizeof outcome->text, "no end after %u s of CPU", cpu_limit_s);
    else if (WIFSIGNALED(status)) snprintf(outcome->text, sizeof outcome->text, "the process died of %s", strsignal(WTERMSIG(status)));
    else snprintf(outcome->text, sizeof outcome->text, "the process ended with status %d", WEXITSTATUS(status));
}

/* ------------------------------------------------------------- smaller ones */

struct search {
    struct world_options *options;
    struct schedule *best;
    const char *rule;
    unsigned cpu_limit_s, tries, limit;
    jmp_time failed_at;
};

/* Whether this schedule breaks the same rule. */
static bool still_fails(struct search *search, const struct schedule *schedule, jmp_time duration_us)
{
    struct world_options options = *search->options;
    struct outcome outcome;
    if (search->tries >= search->limit) return false;
    search->tries++;
    options.schedule = schedule;
    options.duration_us = duration_us;
    options.trace = NULL;
    play_apart(&options, search->cpu_limit_s, &outcome);
    if (!outcome.is_failed || strcmp(outcome.rule, search->rule)) return false;
    search->failed_at = outcome.now;
    return true;
}

static bool try_without(struct search *search, size_t first, size_t count)
{
    struct schedule shorter = { 0 };
    for (size_t i = 0; i < search->best->count; i++)
        if (i < first || i >= first + count) schedule_add(&shorter, &search->best->actions[i]);
    bool fails = still_fails(search, &shorter, search->options->duration_us);
    if (fails) schedule_copy(search->best, &shorter);
    schedule_free(&shorter);
    return fails;
}

/* Drops chunks, from half the schedule down to single actions. The last ones first: they matter least. */
static bool drop_actions(struct search *search)
{
    bool has_dropped = false;
    for (size_t chunk = search->best->count ? (search->best->count + 1) / 2 : 0; chunk > 0; chunk = chunk == 1 ? 0 : (chunk + 1) / 2) {
        for (size_t end = search->best->count; end > 0; ) {
            size_t first = end > chunk ? end - chunk : 0;
            if (try_without(search, first, end - first)) has_dropped = true;
            end = first;
        }
    }
    return has_dropped;
}

static bool try_value(struct search *search, uint64_t *value, uint64_t smaller)
{
    uint64_t before = *value;
    if (smaller >= before) return false;
    *value = smaller;
    if (still_fails(search, search->best, search->options->duration_us)) return true;
    *value = before;
    return false;
}

static void shrink_value(struct search *search, uint64_t *value, uint64_t least)
{
    if (*value <= least || try_value(search, value, least)) return;
    while (*value > 1000 && try_value(search, value, *value / 2)) { }
    /* Round numbers are read more easily. */
    for (uint64_t unit = 1000000; unit >= 1000; unit /= 1000)
        if (*value > unit && *value % unit && try_value(search, value, *value / unit * unit)) break;
}

static void shrink_parameters(struct search *search)
{
    for (size_t i = 0; i < search->best->count; i++) {
        struct action *action = &search->best->actions[i];
        const struct action_form *form = action_form(action->kind);
        if (form->value && action->kind != ACTION_ATTACK && action->kind != ACTION_SWAP) shrink_value(search, &action->value, 0);
        if (form->extra) shrink_value(search, &action->extra, 0);
        if (form->has_duration) shrink_value(search, &action->for_us, 1);
    }
}

unsigned shrink(struct world_options *options, struct schedule *schedule, const char *rule, unsigned cpu_limit_s, unsigned tries)
{
    struct search search = { options, schedule, rule, cpu_limit_s, 0, tries, 0 };
    if (!still_fails(&search, schedule, options->duration_us)) return search.tries;
    /* What lies behind the failure had no part in it. A shorter world has no calm end, so rules of that end need it all. */
    jmp_time shorter = search.failed_at + SECOND;
    if (shorter < options->duration_us && strncmp(rule, "clear_sky", 9)) {
        struct schedule kept = { 0 };
        for (size_t i = 0; i < schedule->count && schedule->actions[i].at <= search.failed_at; i++) schedule_add(&kept, &schedule->actions[i]);
        if (still_fails(&search, &kept, shorter)) {
            schedule_copy(schedule, &kept);
            options->duration_us = shorter;
        }
        schedule_free(&kept);
    }
    while (drop_actions(&search) && search.tries < search.limit) { }
    shrink_parameters(&search);
    while (drop_actions(&search) && search.tries < search.limit) { }
    return search.tries;
}
