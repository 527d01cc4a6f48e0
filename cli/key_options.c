/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_options.h"

bool key_options_take_file(const struct cli_option *option, const char *text, void *member) {
        struct key_options *options = member;

        (void)option;
        if (!*text || options->n_files == KEY_LIST_MAX)
                return false;
        options->files[options->n_files++] = text;
        return true;
}

bool key_options_take_source(const struct cli_option *option, const char *text, void *member) {
        struct key_options *options = member;

        (void)option;
        if (options->n_sources == GRANT_SOURCES_MAX || source_is_link_local(text) ||
            !source_from_text(text, &options->sources[options->n_sources]))
                return false;
        options->n_sources++;
        return true;
}

const char *key_options_source_fault(const char *text) {
        struct source source;

        if (source_is_link_local(text))
                return SOURCE_LINK_LOCAL;
        return source_from_text(text, &source) ? "at most 16 of them are taken"
                                               : "expected an address, or a range without host bits as 192.0.2.0/24";
}

bool key_options_read(const struct key_options *options, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]) {
        for (size_t i = 0; i < options->n_files; i++)
                if (!key_file_read_path(options->files[i], to, ret_why))
                        return false;
        return true;
}
