/* A small strict reader of JSON (RFC 8259): enough to tell whether a line is exactly one object. */
#ifndef FUZZ_JSON_H
#define FUZZ_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* True when the bytes are one JSON object, UTF-8, with distinct member names, nothing around it and no line end. */
bool json_is_object(const char *text, size_t length);

#endif
