/* The states a `receive` program begins in. */
#ifndef STATES_H
#define STATES_H

#include "stage.h"

enum start {
    START_BIRTH, START_HALF_OPEN, START_WAITING, START_COOKIE, START_ATTACHED, START_WARM, START_VOLATILE, START_DEGRADED,
    START_RECOVERING, START_TERMINATED, START_TERMINATED_GATEWAY, START_PROVISIONAL, START_PENDING, START_REKEY, START_IKPSK2,
    START_TELEMETRY, STARTS
};

/* Opens a stage and brings it into a state; `variant` chooses suite and policy. */
void states_begin(struct stage *stage, uint8_t start, uint8_t variant);

#endif
