/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/completion.h"

#include "tools/saddlectl/command.h"
#include "tools/saddlectl/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int first_length(const struct command *command)
{
    return (int)strcspn(command->words, " ");
}

/* Whether an earlier command begins with the same word. */
static bool seen(uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (first_length(&commands[i]) == first_length(&commands[index]) &&
            !strncmp(commands[i].words, commands[index].words, (size_t)first_length(&commands[i])))
            return true;
    }
    return false;
}

static void print_first_words(void)
{
    for (uint32_t i = 0; i < command_count; i++) {
        if (!seen(i))
            printf("%.*s ", first_length(&commands[i]), commands[i].words);
    }
}

static void print_second_words(uint32_t index)
{
    int length = first_length(&commands[index]);

    for (uint32_t i = index; i < command_count; i++) {
        if (first_length(&commands[i]) == length && commands[i].words[length] == ' ' &&
            !strncmp(commands[i].words, commands[index].words, (size_t)length))
            printf("%s ", commands[i].words + length + 1);
    }
}

/* In the words of a case of sh: what follows each first word that others follow. */
static void print_cases(const char *variable)
{
    for (uint32_t i = 0; i < command_count; i++) {
        if (seen(i) || commands[i].words[first_length(&commands[i])] != ' ')
            continue;
        printf("    %.*s) %s='", first_length(&commands[i]), commands[i].words, variable);
        print_second_words(i);
        puts("' ;;");
    }
}

static bool takes_path(uint32_t option)
{
    const char *argument = option_entries[option].argument;

    return argument && !strcmp(argument, "PATH");
}

/* What follows an option with an argument: files, or something that only the user knows. */
static void print_argument_cases(const char *files)
{
    for (uint32_t i = 0; i < option_count; i++) {
        if (option_entries[i].argument && !option_entries[i].optional)
            printf("    --%s) %s return ;;\n", option_entries[i].name, takes_path(i) ? files : "");
    }
}

static void print_bash(void)
{
    puts("# bash completion of saddlectl\n"
         "_saddlectl()\n"
         "{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words\n"
         "    COMPREPLY=()\n"
         "    case $before in");
    print_argument_cases("mapfile -t COMPREPLY < <(compgen -f -- \"$word\");");
    printf("    *saddlectl | --*) words='");
    print_first_words();
    puts("' ;;");
    print_cases("words");
    printf("    esac\n    case $word in\n    -*) words='");
    for (uint32_t i = 0; i < option_count; i++)
        printf("--%s ", option_entries[i].name);
    puts("' ;;\n    esac\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "}\n"
         "complete -F _saddlectl saddlectl");
}

static void print_zsh(void)
{
    puts("#compdef saddlectl\n"
         "local before=${words[CURRENT-1]} now=${words[CURRENT]} choice\n"
         "case $before in");
    print_argument_cases("_files;");
    printf("    *saddlectl | --*) choice='");
    print_first_words();
    puts("' ;;");
    print_cases("choice");
    puts("esac\n"
         "if [[ $now == -* ]]; then");
    printf("    choice='");
    for (uint32_t i = 0; i < option_count; i++)
        printf("--%s ", option_entries[i].name);
    puts("'\n"
         "fi\n"
         "compadd -- ${=choice}");
}

/* In a fish word between single quotes. */
static void print_quoted(const char *text)
{
    putchar('\'');
    for (; *text; text++)
        printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    puts("'");
}

static void print_fish(void)
{
    puts("complete -c saddlectl -f");
    for (uint32_t i = 0; i < option_count; i++) {
        printf("complete -c saddlectl -l %s%s%s -d ", option_entries[i].name,
               option_entries[i].argument && !option_entries[i].optional ? " -r" : "",
               takes_path(i) ? " -F" : "");
        print_quoted(option_entries[i].help);
    }
    for (uint32_t i = 0; i < command_count; i++) {
        int length = first_length(&commands[i]);
        const char *second = commands[i].words[length] ? commands[i].words + length + 1 : NULL;

        if (!seen(i)) {
            printf("complete -c saddlectl -n __fish_use_subcommand -a %.*s -d ", length,
                   commands[i].words);
            print_quoted(second ? "" : commands[i].help);
        }
        if (second) {
            printf("complete -c saddlectl -n '__fish_seen_subcommand_from %.*s' -a %s -d ", length,
                   commands[i].words, second);
            print_quoted(commands[i].help);
        }
    }
}

int completion_print(const char *shell)
{
    if (!strcmp(shell, "bash"))
        print_bash();
    else if (!strcmp(shell, "zsh"))
        print_zsh();
    else if (!strcmp(shell, "fish"))
        print_fish();
    else
        return -EINVAL;
    return 0;
}
