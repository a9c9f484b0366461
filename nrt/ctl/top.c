/* ringmainctl top: the live view, and --once: one page as plain text. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "nrt/ctl/gather.h"

#define REFRESH_MS 500
#define PAGE_BYTES (256 * 1024)

static volatile sig_atomic_t end_requested, size_changed;

static void on_end(int number) {
    (void)number;
    end_requested = 1;
}

static void on_size(int number) {
    (void)number;
    size_changed = 1;
}

static struct termios saved_terminal;

/* Returns false when the terminal refuses. */
static bool enter_screen(void) {
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &saved_terminal) != 0) {
        return false;
    }
    raw = saved_terminal;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) {
        return false;
    }
    static const char ENTER[] = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
    return write(STDOUT_FILENO, ENTER, sizeof ENTER - 1) > 0;
}

static void leave_screen(void) {
    static const char LEAVE[] = "\x1b[0m\x1b[?25h\x1b[?1049l";
    (void)!write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

static void write_all(const char *text, size_t length) {
    while (length > 0) {
        ssize_t count = write(STDOUT_FILENO, text, length);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            end_requested = 1; /* the terminal is gone */
            return;
        }
        text += count;
        length -= (size_t)count;
    }
}

static void screen_size(uint32_t *width, uint32_t *height) {
    struct winsize size;
    *width = 80;
    *height = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        *width = size.ws_col < 400 ? size.ws_col : 400;
        *height = size.ws_row < 500 ? size.ws_row : 500;
    }
}

static bool speaks_utf8(void) {
    setlocale(LC_CTYPE, "");
    const char *codeset = nl_langinfo(CODESET);
    return codeset != NULL && strcmp(codeset, "UTF-8") == 0;
}

static void show(struct gather *g, bool colour, bool blocks) {
    static char text[PAGE_BYTES];
    struct frame f;
    uint32_t width, height;
    screen_size(&width, &height);
    gather_refresh(g, height);
    frame_init(&f, text, sizeof text, width, colour ? FRAME_COLOUR : FRAME_MONO);
    f.live = true;
    f.blocks = blocks;
    /* the last row stays free: a line end there would scroll */
    view_render(&f, &g->view, height > 2 ? height - 1 : 1);
    write_all("\x1b[H", 3);
    write_all(text, f.length);
    write_all("\x1b[J", 3);
}

/* true: the person wants out. */
static bool take_keys(void) {
    char keys[64];
    ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
    for (ssize_t i = 0; i < count; i++) {
        if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 3 || keys[i] == 4) {
            return true;
        }
    }
    return count == 0;
}

static void run_live(struct gather *g, bool colour) {
    bool blocks = speaks_utf8();
    while (!end_requested) {
        size_changed = 0;
        show(g, colour, blocks);
        int64_t next_ns = ctl_now_ns() + (int64_t)REFRESH_MS * 1000000;
        while (!end_requested && !size_changed) {
            int64_t left_ms = (next_ns - ctl_now_ns()) / 1000000;
            struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
            if (left_ms <= 0) {
                break;
            }
            if (poll(&keys, 1, (int)left_ms) > 0 && take_keys()) {
                end_requested = 1;
            }
        }
    }
}

static enum ctl_exit live(const struct ctl *ctl) {
    static struct gather g;
    const char *terminal = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || terminal == NULL ||
        strcmp(terminal, "dumb") == 0) {
        ctl_say("top needs a terminal; without one use \"ringmainctl status\" or "
                "\"ringmainctl top --once\"");
        return CTL_USAGE;
    }
    struct sigaction end = {.sa_handler = on_end}, size = {.sa_handler = on_size};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGHUP, &end, NULL);
    sigaction(SIGWINCH, &size, NULL);
    bool mono = ctl->options.no_colour || (no_colour != NULL && no_colour[0] != '\0') ||
                strncmp(terminal, "vt", 2) == 0;
    gather_init(&g, ctl);
    if (!enter_screen()) {
        ctl_say("the terminal cannot be set up: %s", strerror(errno));
        return CTL_USAGE;
    }
    run_live(&g, !mono);
    leave_screen();
    gather_close(&g);
    return CTL_OK;
}

static enum ctl_exit once(const struct ctl *ctl) {
    static struct gather g;
    static char text[PAGE_BYTES];
    struct frame f;
    long width = ctl->options.width != NULL ? strtol(ctl->options.width, NULL, 10) : 100;
    if (width < 20 || width > 400) {
        ctl_say("--width must be 20 to 400");
        return CTL_USAGE;
    }
    gather_init(&g, ctl);
    gather_refresh(&g, 10);
    frame_init(&f, text, sizeof text, (uint32_t)width, FRAME_PLAIN);
    view_render(&f, &g.view, 0);
    fwrite(text, 1, f.length, stdout);
    enum ctl_exit code = gather_exit(&g);
    gather_close(&g);
    return code;
}

enum ctl_exit ctl_top(const struct ctl *ctl) {
    return ctl->options.once ? once(ctl) : live(ctl);
}
