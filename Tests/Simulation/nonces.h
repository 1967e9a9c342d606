/* The AEAD recorder: the program that links nonces.c defines libsodium's crypto_aead_*_encrypt* functions itself and forwards them, so
 * that every key and nonce that any endpoint of the process seals with passes by. The same nonce twice under one key is a broken rule
 * (DESIGN section 1; WireProtocol, "DATA"), whatever the endpoint, suite or key phase.
 *
 * Link the program with the library on its command line (its references make the linker export these functions) and -ldl. */
#ifndef SIMULATION_NONCES_H
#define SIMULATION_NONCES_H

#include "observer.h"

/** Forgets every key and nonce: at the beginning of a world. (Two worlds of one seed use the same ones, rightly.) */
void nonces_reset(void);
/** Where to report "nonce_reuse"; NULL: nowhere, they are counted only. */
void nonces_report(observer_report *report, void *context);
/** How many sealings were recorded since the last reset, under how many keys, and how many repeated a nonce. `repeats` of
 *  another suite's primitives (Noise's own sealing included) count alike. */
struct nonce_counts {
    uint64_t sealings, keys, repeats;
};
struct nonce_counts nonces_count(void);
/** Whether anything is recorded at all: false when the library's sealing does not pass by here (it was linked otherwise), which
 *  the program must treat as a failure of itself. True only after a sealing. */
bool nonces_are_recorded(void);

#endif
