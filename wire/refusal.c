/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[REFUSAL_MAX_] = {
        [REFUSAL_PERMISSION_DENIED] = "PermissionDenied",
        [REFUSAL_TOO_LARGE] = "TooLarge",
        [REFUSAL_RATE_LIMITED] = "RateLimited",
        [REFUSAL_UNTRUSTED] = "Untrusted",
        [REFUSAL_BAD_SIGNATURE] = "BadSignature",
        [REFUSAL_WRONG_INSTANCE] = "WrongInstance",
        [REFUSAL_NOT_YET_VALID] = "NotYetValid",
        [REFUSAL_EXPIRED] = "Expired",
        [REFUSAL_CLOCK_UNSYNCHRONIZED] = "ClockUnsynchronized",
        [REFUSAL_STALE_CHALLENGE] = "StaleChallenge",
        [REFUSAL_REPLAYED] = "Replayed",
        [REFUSAL_INVALID_PAYLOAD] = "InvalidPayload",
        [REFUSAL_KEY_REJECTED] = "KeyRejected",
        [REFUSAL_NO_SUCH_USER] = "NoSuchUser",
        [REFUSAL_USER_DENIED] = "UserDenied",
        [REFUSAL_STORE_FULL] = "StoreFull",
        [REFUSAL_STORAGE_FAILURE] = "StorageFailure",
};

const char *refusal_name(enum refusal why) {
        return why > REFUSAL_NONE && why < REFUSAL_MAX_ ? names[why] : NULL;
}

enum refusal refusal_from_name(const char *name) {
        for (int i = REFUSAL_NONE + 1; i < REFUSAL_MAX_; i++)
                if (strcmp(name, names[i]) == 0)
                        return (enum refusal)i;
        return REFUSAL_NONE;
}

int refusal_exit_status(enum refusal why) {
        return why == REFUSAL_NONE ? EXIT_DONE : EXIT_REFUSED + (int)why - 1;
}

/* Text that was cut may end within a character, which JSON does not allow. */
static void drop_half_character(char *text, size_t size) {
        size_t n = strlen(text);

        if (n + 1 < size)
                return;
        while (n > 0 && ((uint8_t)text[n - 1] & 0xc0) == 0x80)
                n--;
        if (n > 0 && ((uint8_t)text[n - 1] & 0x80) != 0)
                n--;
        text[n] = '\0';
}

__attribute__((format(printf, 4, 0))) static enum refusal
refuse_with(struct refused *ret, enum refusal why, const char *field, const char *format, va_list arguments) {
        *ret = (struct refused){.why = why};
        (void)snprintf(ret->field, sizeof(ret->field), "%s", field);
        (void)vsnprintf(ret->message, sizeof(ret->message), format, arguments);
        drop_half_character(ret->field, sizeof(ret->field));
        drop_half_character(ret->message, sizeof(ret->message));
        return why;
}

enum refusal refuse(struct refused *ret, enum refusal why, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        why = refuse_with(ret, why, "", format, arguments);
        va_end(arguments);
        return why;
}

enum refusal refuse_field(struct refused *ret, const char *field, const char *format, ...) {
        va_list arguments;
        enum refusal why;

        va_start(arguments, format);
        why = refuse_with(ret, REFUSAL_INVALID_PAYLOAD, field, format, arguments);
        va_end(arguments);
        return why;
}
