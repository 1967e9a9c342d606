#ifndef CALLS_H
#define CALLS_H

#include "crowd.h"

/* Calls about sessions, which go on afterwards. */
void call_sessions(struct crowd *crowd);
/* Calls about transports, each until every session has followed; last, for after it every session is in trouble. */
void call_transports(struct crowd *crowd);

#endif
