#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct choice {
    uint32_t closed;                   /* bit per edge */
    int owner[ORACLE_SLOTS_MAX];       /* of a component, at its first slot; -2 elsewhere */
    int64_t value_w[ORACLE_SLOTS_MAX]; /* of a gun that owns */
};

struct oracle {
    const struct partition_input *in;
    uint32_t n;
    uint32_t group[ORACLE_SLOTS_MAX];
    uint32_t fused_from[ORACLE_SLOTS_MAX],
        fused[ORACLE_SLOTS_MAX]; /* run of kept edges round a slot */
    int64_t flow_w[ORACLE_SLOTS_MAX][ORACLE_SLOTS_MAX + 1]
                  [ORACLE_SLOTS_MAX]; /* first, length, gun; -1 unknown */
    bool second;                      /* looking for the least switching */
    bool has_best;
    struct oracle_score best;
    int64_t cut_w[ORACLE_SLOTS_MAX];
    uint64_t least_cost;
};

/* ---- capacity: augmenting paths ------------------------------------------------------------------ */

#define NODES (ORACLE_SLOTS_MAX + 1)

static int64_t augment(int64_t residual[NODES][NODES], uint32_t nodes, uint32_t source,
                       uint32_t sink) {
    uint32_t queue[NODES], parent[NODES], head = 0, tail = 0;
    for (uint32_t v = 0; v < nodes; v++) {
        parent[v] = NODES;
    }
    parent[source] = source;
    queue[tail++] = source;
    while (head < tail && parent[sink] == NODES) {
        uint32_t u = queue[head++];
        for (uint32_t v = 0; v < nodes; v++) {
            if (parent[v] == NODES && residual[u][v] > 0) {
                parent[v] = u;
                queue[tail++] = v;
            }
        }
    }
    if (parent[sink] == NODES) {
        return 0;
    }
    int64_t bottleneck = INT64_MAX;
    for (uint32_t v = sink; v != source; v = parent[v]) {
        bottleneck = residual[parent[v]][v] < bottleneck ? residual[parent[v]][v] : bottleneck;
    }
    for (uint32_t v = sink; v != source; v = parent[v]) {
        residual[parent[v]][v] -= bottleneck;
        residual[v][parent[v]] += bottleneck;
    }
    return bottleneck;
}

static int64_t watts(int64_t ma, int64_t mv) {
    return ma > 0 && mv > 0 ? ma * mv / 1000000 : 0;
}

static int64_t max_flow(const struct oracle *o, uint32_t first, uint32_t length, uint32_t gun) {
    int64_t residual[NODES][NODES] = {{0}};
    int64_t mv = o->in->slot[gun].mv;
    uint32_t sink = 0;
    for (uint32_t k = 0; k < length; k++) {
        const struct partition_slot *s = &o->in->slot[(first + k) % o->n];
        sink = (first + k) % o->n == gun ? k : sink;
        for (uint32_t m = 0; m < s->modules; m++) {
            const struct partition_module *module = &s->module[m];
            if (mv >= module->min_mv && mv <= module->max_mv && module->max_w > 0) {
                int64_t w = watts(module->max_ma, mv);
                residual[length][k] += w < module->max_w ? w : module->max_w;
            }
        }
        if (k + 1 < length) {
            residual[k][k + 1] = residual[k + 1][k] = watts(s->edge_max_ma, mv);
        }
    }
    int64_t flow = 0;
    for (int64_t more = 1; more > 0; flow += more) {
        more = augment(residual, length + 1, length, sink);
    }
    return flow < INT32_MAX ? flow : INT32_MAX;
}

static int64_t capacity(struct oracle *o, uint32_t first, uint32_t length, uint32_t gun) {
    int64_t *memo = &o->flow_w[first][length][gun];
    if (*memo < 0) {
        *memo = max_flow(o, first, length, gun);
    }
    return *memo;
}

/* ---- rules --------------------------------------------------------------------------------------- */

/* The key that orders groups: class, or for first come order and class. */
static bool group_before(const struct partition_input *in, uint32_t a, uint32_t b) {
    const struct partition_slot *x = &in->slot[a];
    const struct partition_slot *y = &in->slot[b];
    if (in->mode == PARTITION_FIRST_COME && x->order != y->order) {
        return x->order < y->order;
    }
    return x->priority_class < y->priority_class;
}

static bool outranks(const struct partition_input *in, uint32_t a, uint32_t b) {
    const struct partition_slot *x = &in->slot[a];
    const struct partition_slot *y = &in->slot[b];
    bool x_asks = x->demand_w > 0;
    bool y_asks = y->demand_w > 0;
    if (x_asks != y_asks) {
        return x_asks;
    }
    if (group_before(in, a, b) || group_before(in, b, a)) {
        return group_before(in, a, b);
    }
    return x->order < y->order;
}

static void find_groups(struct oracle *o) {
    for (uint32_t a = 0; a < o->n; a++) {
        o->group[a] = 0;
        for (uint32_t b = 0; b < o->n; b++) {
            bool counted = false;
            for (uint32_t c = 0; c < b; c++) { /* b's key already seen */
                counted |= o->in->slot[c].wants && !group_before(o->in, b, c) &&
                           !group_before(o->in, c, b);
            }
            o->group[a] += o->in->slot[b].wants && !counted && group_before(o->in, b, a);
        }
    }
}

static void find_fused(struct oracle *o) {
    for (uint32_t s = 0; s < o->n; s++) {
        uint32_t from = s;
        uint32_t length = 1;
        while (length < o->n &&
               o->in->slot[(from + o->n - 1) % o->n].edge == PARTITION_EDGE_KEEP_CLOSED) {
            from = (from + o->n - 1) % o->n;
            length++;
        }
        while (length < o->n &&
               o->in->slot[(from + length - 1) % o->n].edge == PARTITION_EDGE_KEEP_CLOSED) {
            length++;
        }
        o->fused_from[s] = from;
        o->fused[s] = length;
    }
}

static bool may_own(const struct oracle *o, uint32_t first, uint32_t length, uint32_t gun) {
    const struct partition_input *in = o->in;
    uint32_t arc_max = in->arc_max < 1 ? 1 : in->arc_max;
    if (!in->slot[gun].wants || length > arc_max) {
        return false;
    }
    for (uint32_t k = 0; k < length; k++) {
        uint32_t s = (first + k) % o->n;
        if (s != gun && in->slot[s].blocked) {
            return false;
        }
    }
    for (uint32_t k = 0; k < o->fused[gun] && !in->slot[gun].blocked; k++) {
        uint32_t rival = (o->fused_from[gun] + k) % o->n;
        if (rival != gun && in->slot[rival].wants && outranks(in, rival, gun)) {
            return false;
        }
    }
    return true;
}

static bool edges_allowed(const struct oracle *o, uint32_t closed) {
    for (uint32_t e = 0; e < o->n; e++) {
        bool is_closed = (closed >> e) & 1u;
        enum partition_edge edge = o->in->slot[e].edge;
        if ((edge == PARTITION_EDGE_KEEP_OPEN && is_closed) ||
            (edge == PARTITION_EDGE_KEEP_CLOSED && !is_closed) ||
            (edge == PARTITION_EDGE_FREE && is_closed && o->in->mode == PARTITION_STATIC)) {
            return false;
        }
    }
    return true;
}

static bool only_kept(const struct oracle *o, uint32_t first, uint32_t length) {
    for (uint32_t k = 0; k + 1 < length; k++) {
        if (o->in->slot[(first + k) % o->n].edge != PARTITION_EDGE_KEEP_CLOSED) {
            return false;
        }
    }
    return true;
}

static uint64_t cost_of(const struct oracle *o, uint32_t closed) {
    uint64_t cost = 0;
    for (uint32_t e = 0; e < o->n; e++) {
        const struct partition_slot *s = &o->in->slot[e];
        if (s->edge == PARTITION_EDGE_FREE && s->edge_was_closed != (bool)((closed >> e) & 1u)) {
            cost += s->edge_cost;
        }
    }
    return cost;
}

/* ---- scores -------------------------------------------------------------------------------------- */

static void add_gun(struct oracle_score *score, uint32_t group, int64_t value_w) {
    if (value_w <= 0) {
        return;
    }
    uint32_t at = score->guns++;
    while (at > 0 && (score->gun[at - 1].group > group || (score->gun[at - 1].group == group &&
                                                           score->gun[at - 1].value_w > value_w))) {
        score->gun[at] = score->gun[at - 1];
        at--;
    }
    score->gun[at].group = group;
    score->gun[at].value_w = value_w;
    score->served_in[group]++;
    score->total_w += value_w;
}

int oracle_compare(enum partition_mode mode, const struct oracle_score *a,
                   const struct oracle_score *b) {
    for (uint32_t g = 0; g < ORACLE_SLOTS_MAX; g++) {
        if (a->served_in[g] != b->served_in[g]) {
            return a->served_in[g] > b->served_in[g] ? -1 : 1;
        }
    }
    if (mode == PARTITION_TOTAL) {
        return (a->total_w < b->total_w) - (a->total_w > b->total_w);
    }
    for (uint32_t k = 0; k < a->guns; k++) {
        if (a->gun[k].value_w != b->gun[k].value_w) {
            return a->gun[k].value_w > b->gun[k].value_w ? -1 : 1;
        }
    }
    return 0;
}

/* The largest whole level per group at which the site limit holds, found by bisection. */
static void find_cuts(struct oracle *o, const struct oracle_score *score) {
    int64_t left_w = o->in->site_limit_w > 0 ? o->in->site_limit_w : 0;
    bool is_short = false;
    for (uint32_t g = 0; g < ORACLE_SLOTS_MAX; g++) {
        int64_t low = 0;
        int64_t high = INT32_MAX;
        while (low < high) {
            int64_t level = low + (high - low + 1) / 2;
            int64_t sum = 0;
            for (uint32_t k = 0; k < score->guns; k++) {
                int64_t v = score->gun[k].value_w;
                sum += score->gun[k].group == g ? (v < level ? v : level) : 0;
            }
            if (!is_short && sum <= left_w) {
                low = level;
            } else {
                high = level - 1;
            }
        }
        o->cut_w[g] = low;
        for (uint32_t k = 0; k < score->guns; k++) {
            if (score->gun[k].group == g) {
                int64_t v = score->gun[k].value_w;
                left_w -= v < low ? v : low;
                is_short |= v > low;
            }
        }
    }
}

static bool same_when_cut(const struct oracle *o, const struct oracle_score *a) {
    const struct oracle_score *b = &o->best;
    if (memcmp(a->served_in, b->served_in, sizeof a->served_in) != 0) {
        return false;
    }
    for (uint32_t k = 0; k < a->guns; k++) {
        int64_t cut = o->cut_w[a->gun[k].group];
        int64_t x = a->gun[k].value_w < cut ? a->gun[k].value_w : cut;
        int64_t y = b->gun[k].value_w < cut ? b->gun[k].value_w : cut;
        if (x != y) {
            return false;
        }
    }
    return true;
}

static void weigh(struct oracle *o, const struct choice *c) {
    struct oracle_score score = {0};
    for (uint32_t s = 0; s < o->n; s++) {
        if (c->owner[s] >= 0) {
            add_gun(&score, o->group[c->owner[s]], c->value_w[c->owner[s]]);
        }
    }
    if (!o->second) {
        if (!o->has_best || oracle_compare(o->in->mode, &score, &o->best) < 0) {
            o->best = score;
            o->has_best = true;
        }
        return;
    }
    bool is_as_good = o->in->mode == PARTITION_TOTAL
                          ? oracle_compare(PARTITION_TOTAL, &score, &o->best) == 0
                          : same_when_cut(o, &score);
    uint64_t cost = cost_of(o, c->closed);
    if (is_as_good && cost < o->least_cost) {
        o->least_cost = cost;
    }
}

/* ---- enumeration --------------------------------------------------------------------------------- */

static uint32_t length_of(const struct oracle *o, uint32_t closed, uint32_t first) {
    uint32_t length = 1;
    while (length < o->n && ((closed >> ((first + length - 1) % o->n)) & 1u)) {
        length++;
    }
    return length;
}

/* Chooses for the component that begins at `first` and all after it; `left` slots are still to be given. */
static void choose(struct oracle *o, struct choice *c, uint32_t first, uint32_t left) {
    if (left == 0) {
        weigh(o, c);
        return;
    }
    uint32_t length = length_of(o, c->closed, first);
    if (only_kept(o, first, length)) {
        c->owner[first] = -1;
        choose(o, c, (first + length) % o->n, left - length);
    }
    for (uint32_t k = 0; k < length; k++) {
        uint32_t gun = (first + k) % o->n;
        if (may_own(o, first, length, gun)) {
            int64_t w = capacity(o, first, length, gun);
            c->owner[first] = (int)gun;
            c->value_w[gun] = w < o->in->slot[gun].demand_w ? w : o->in->slot[gun].demand_w;
            choose(o, c, (first + length) % o->n, left - length);
        }
    }
    c->owner[first] = -2;
}

static void enumerate(struct oracle *o) {
    uint32_t all = (1u << o->n) - 1u;
    for (uint32_t closed = 0; closed <= all; closed++) {
        if (o->n == 1) { /* its only edge joins it to itself */
            closed = all;
        } else if (!edges_allowed(o, closed)) {
            continue;
        }
        struct choice c = {.closed = closed};
        for (uint32_t s = 0; s < ORACLE_SLOTS_MAX; s++) {
            c.owner[s] = -2;
        }
        if (o->n == 1) {
            c.closed = o->in->slot[0].edge == PARTITION_EDGE_KEEP_CLOSED;
            choose(o, &c, 0, 1);
        } else if (closed == all) {
            if (only_kept(o, 0, o->n + 1)) {
                weigh(o, &c); /* no edge can be open: nobody is served */
            }
        } else {
            uint32_t first = 0; /* behind an open edge */
            while ((closed >> ((first + o->n - 1) % o->n)) & 1u) {
                first++;
            }
            choose(o, &c, first, o->n);
        }
    }
}

static void init(struct oracle *o, const struct partition_input *in) {
    memset(o, 0, sizeof *o);
    o->in = in;
    o->n = in->slots;
    memset(o->flow_w, 0xff, sizeof o->flow_w);
    find_groups(o);
    find_fused(o);
}

/* ---- an answer taken apart ----------------------------------------------------------------------- */

/* Follows one component of the answer: NULL when it obeys the rules and its figures are right. */
static const char *check_component(struct oracle *o, const struct partition_result *got,
                                   uint32_t first, uint32_t length, struct choice *c) {
    int16_t owner = got->owner[first];
    for (uint32_t k = 0; k < length; k++) {
        uint32_t s = (first + k) % o->n;
        if (got->owner[s] != owner) {
            return "one component, two owners";
        }
        if ((int16_t)s != owner && (got->power_w[s] != 0 || got->capacity_w[s] != 0)) {
            return "power without an arc";
        }
    }
    if (owner < 0) {
        return only_kept(o, first, length) ? NULL : "a free edge closed for nobody";
    }
    uint32_t gun = (uint32_t)owner;
    if ((gun + o->n - first) % o->n >= length || !may_own(o, first, length, gun)) {
        return "an owner that may not own its arc";
    }
    int64_t w = capacity(o, first, length, gun);
    if (got->capacity_w[gun] != w) {
        return "capacity is not the maximum flow";
    }
    c->owner[first] = owner;
    c->value_w[gun] = w < o->in->slot[gun].demand_w ? w : o->in->slot[gun].demand_w;
    c->value_w[gun] = c->value_w[gun] > 0 ? c->value_w[gun] : 0;
    return NULL;
}

static const char *take_apart(struct oracle *o, const struct partition_result *got,
                              struct choice *c) {
    uint32_t all = (1u << o->n) - 1u;
    for (uint32_t s = 0; s < o->n; s++) {
        c->closed |= (uint32_t)got->edge_closed[s] << s;
        c->owner[s] = -2;
    }
    if (!edges_allowed(o, c->closed) && o->n > 1) {
        return "a kept edge moved";
    }
    if (o->n > 1 && c->closed == all) {
        for (uint32_t s = 0; s < o->n; s++) {
            if (got->owner[s] >= 0 || o->in->slot[s].edge != PARTITION_EDGE_KEEP_CLOSED) {
                return "no edge open";
            }
        }
        return NULL;
    }
    uint32_t first = 0;
    while (o->n > 1 && (c->closed >> ((first + o->n - 1) % o->n)) & 1u) {
        first++;
    }
    for (uint32_t done = 0; done < o->n;) {
        uint32_t length = length_of(o, c->closed, first);
        const char *wrong = check_component(o, got, first, length, c);
        if (wrong != NULL) {
            return wrong;
        }
        done += length;
        first = (first + length) % o->n;
    }
    return NULL;
}

void oracle_score_of(const struct partition_input *in, const struct partition_result *got,
                     struct oracle_score *score) {
    static struct oracle o;
    struct choice c = {0};
    memset(score, 0, sizeof *score);
    init(&o, in);
    const char *wrong = take_apart(&o, got, &c);
    if (wrong != NULL) {
        fprintf(stderr, "oracle: %s\n", wrong);
        abort();
    }
    for (uint32_t s = 0; s < o.n; s++) {
        if (c.owner[s] >= 0) {
            add_gun(score, o.group[c.owner[s]], c.value_w[c.owner[s]]);
        }
    }
}

static const char *check_figures(struct oracle *o, const struct partition_result *got,
                                 const struct choice *c, const struct oracle_score *score) {
    int64_t sum_w = 0;
    uint32_t wanting = 0;
    for (uint32_t s = 0; s < o->n; s++) {
        wanting += o->in->slot[s].wants;
        sum_w += got->power_w[s];
        if (got->owner[s] == (int16_t)s) {
            int64_t cut = o->cut_w[o->group[s]];
            if (got->power_w[s] != (c->value_w[s] < cut ? c->value_w[s] : cut)) {
                return "power is not the water-filled one";
            }
        }
    }
    if (sum_w > (o->in->site_limit_w > 0 ? o->in->site_limit_w : 0)) {
        return "more than the site limit";
    }
    if (got->unserved != wanting - score->guns) {
        return "unserved guns miscounted";
    }
    return got->switching_cost == cost_of(o, c->closed) ? NULL : "switching cost misstated";
}

const char *oracle_check(const struct partition_input *in, const struct partition_result *got) {
    static struct oracle o;
    struct choice c = {0};
    struct oracle_score score = {0};
    init(&o, in);
    const char *wrong = take_apart(&o, got, &c);
    if (wrong != NULL) {
        return wrong;
    }
    for (uint32_t s = 0; s < o.n; s++) {
        if (c.owner[s] >= 0) {
            add_gun(&score, o.group[c.owner[s]], c.value_w[c.owner[s]]);
        }
    }
    enumerate(&o);
    if (!o.has_best) {
        return "the oracle found no arrangement";
    }
    find_cuts(&o, in->mode == PARTITION_TOTAL ? &score : &o.best);
    o.second = true;
    o.least_cost = UINT64_MAX;
    enumerate(&o);
    wrong = check_figures(&o, got, &c, &score);
    if (wrong != NULL) {
        return wrong;
    }
    if (in->mode == PARTITION_TOTAL ? oracle_compare(PARTITION_TOTAL, &score, &o.best) != 0
                                    : !same_when_cut(&o, &score)) {
        return "a better power vector exists";
    }
    return got->switching_cost == o.least_cost ? NULL : "the same powers cost less switching";
}
