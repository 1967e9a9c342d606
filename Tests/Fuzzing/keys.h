/* Getting past authentication without a back door in the library: this program's own crypto_aead_… and crypto_shorthash stand
 * in front of libsodium's, note key, IV and header key of every DATA datagram the library seals, and pass the call on. With them
 * the harness seals datagrams as the peer would, with any frames or payload, packet number, key phase and reserved bits. */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEALERS = 16, SEALER_IDS = 4, FRAMES_MAX = 1500, FIRST_PAYLOAD = 0x08 };

/* One direction of one session in one key phase. */
struct sealer {
    uint8_t key[32], iv[12], header_key[16];
    bool is_aes, has_header_key;
    uint8_t phase;                      /* modulo 4 */
    uint64_t newest;                    /* the library's own newest */
    uint64_t ids[SEALER_IDS];           /* connection ids of the receiver, newest first */
    uint32_t id_count;
};

/* Who calls the library now: 0 or 1. */
extern int keys_owner;

/* Forgets everything: a new world begins. */
void keys_reset(void);

/* The newest sealer of an owner is number 0; NULL when there is none. */
struct sealer *keys_sealer(int owner, unsigned number);

/* Above every packet number an owner has sealed, forgeries included; phases share one number space. */
extern uint64_t keys_next[2];

/* The frames of the last DATA datagram an owner sealed; a payload alone is a PAYLOAD frame here. */
const uint8_t *keys_frames(int owner, size_t *length);

struct forgery {
    uint64_t connection_id, packet_number;
    uint8_t first;                      /* unmasked: 0x40 | phase << 4 | FIRST_PAYLOAD | reserved bits */
    const uint8_t *frames;              /* or a payload alone */
    size_t length;
};

/* Seals a datagram into `out` (13 + length + 16 bytes); its length. */
size_t keys_forge(const struct sealer *sealer, const struct forgery *forgery, uint8_t *out);

#endif
