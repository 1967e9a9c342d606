/* Calls that need no endpoint: names for any number, keys, versions. */
#include "model.h"

static void check_names(uint32_t value)
{
    const char *names[] = { jmp_strerror((jmp_status)value), jmp_state_name(value), jmp_reason_name(value), jmp_event_name(value),
                            jmp_drop_name(value), jmp_suite_name(value), jmp_path_role_name(value), jmp_version() };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) REQUIRE(names[i] && names[i][0] && strlen(names[i]) < 160, "name %zu of %u", i, value);
    REQUIRE(value <= JMP_STATE_TERMINATED || !strcmp(names[1], "UNKNOWN"), "state %u is %s", value, names[1]);
    REQUIRE(value < 256 || (!strcmp(names[2], "unknown") && !strcmp(names[3], "Unknown") && !strcmp(names[4], "unknown")), "%u has a name", value);
}

static void call_keys(struct call *call)
{
    uint8_t public_key[JMP_KEY_SIZE], derived[JMP_KEY_SIZE], secret[JMP_KEY_SIZE];
    bool is_null = is_hostile(call, HOSTILE_NULL);
    call_fault(call, is_null, JMP_ERR_NULL);
    if (JUDGE(call, jmp_keypair(is_null && call->block.f & 2 ? NULL : public_key, is_null && !(call->block.f & 2) ? NULL : secret)) == JMP_OK) {
        REQUIRE(jmp_public_key(secret, derived) == JMP_OK && !memcmp(derived, public_key, sizeof derived), "another public key");
    }
    if (is_null) REQUIRE(jmp_public_key(call->block.f & 2 ? NULL : secret, call->block.f & 2 ? derived : NULL) == JMP_ERR_NULL, "no key needed");
}

/* Arguments that a passphrase cannot have; stretching one takes too long to be done here. */
static void call_passphrase(struct call *call)
{
    uint8_t bytes[JMP_KEY_SIZE] = { 'p' }, psk[JMP_KEY_SIZE];
    static const size_t wrong[] = { 0, 1025, SIZE_MAX, (size_t)INT64_MAX };
    size_t passphrase = call->block.f & 2 ? wrong[call->block.c % 4] : 1, realm = call->block.f & 4 ? 256u + call->block.d : 0;
    size_t hint = call->block.f & 8 ? JMP_HINT_MAX + 1u + call->block.d : 0;
    const uint8_t *from = is_hostile(call, HOSTILE_NULL) ? NULL : bytes;
    call_fault(call, !from, JMP_ERR_NULL);
    call_fault(call, call->block.f & 14, JMP_ERR_ARGUMENT);
    if (call->fault_count) JUDGE(call, jmp_psk_from_passphrase(from, passphrase, bytes, realm, bytes, hint, psk));
}

static void call_init(struct call *call)
{
    union { jmp_config config; jmp_policy policy; jmp_transport_config transport; jmp_connect_config connect; } any;
    uint32_t suites = 0;
    bool is_null = is_hostile(call, HOSTILE_NULL);
    memset(&any, 0x77, sizeof any);
    call_fault(call, is_null, JMP_ERR_NULL);
    JUDGE(call, jmp_config_init(is_null ? NULL : &any.config));
    if (!is_null) REQUIRE(jmp_config_check(&any.config, NULL, 0) == JMP_OK, "the default configuration is invalid");
    JUDGE(call, jmp_policy_init(is_null ? NULL : &any.policy));
    if (!is_null) REQUIRE(jmp_policy_check(&any.policy, NULL, 0) == JMP_OK, "the default policy is invalid");
    JUDGE(call, jmp_transport_config_init(is_null ? NULL : &any.transport));
    JUDGE(call, jmp_connect_config_init(is_null ? NULL : &any.connect));
    JUDGE(call, jmp_suites_available(is_null ? NULL : &suites));
    REQUIRE(is_null || suites & JMP_SUITE_CHACHA20_POLY1305, "suites %u", suites);
    REQUIRE(jmp_init() == JMP_OK && jmp_abi_version() == JMP_ABI_VERSION, "another library");
}

void call_library(struct stage *stage, struct model *models, const struct block *block)
{
    struct call call = call_begin(stage, models, block);
    call.fault_count = 0;       /* no endpoint is asked for */
    switch (block->c % 4) {
    case 0: check_names(block->d & 0x8000 ? (uint32_t)-(int32_t)block->d : block->d % 512u); break;
    case 1: call_keys(&call); break;
    case 2: call_passphrase(&call); break;
    default: call_init(&call); break;
    }
}
