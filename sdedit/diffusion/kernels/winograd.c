// Winograd F(4x4, 3x3): a quarter of the multiplications, for channels_last float32 maps (Lavin and Gray 2016, arXiv
// 1509.09308).
//
// Each tile of 4 x 4 pixels is read with a pixel around it, and its 6 x 6 pixels become the values at 36 points of a
// polynomial; at each point the tiles of a block are multiplied with the weights, and the products become 4 x 4 pixels.
// A convolution takes 144 multiplications for each pair of channels there, this 36. A block stays in the cache.
//
// The points are 0, +-5/8, +-3/2 and infinity, whose rounding errors are small.

#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
#define VECTORS 4  // with ROWS sums each they fill 32 registers
#else
#define VECTORS 2
#endif
#define WIDTH (LANES * VECTORS)  // channels whose products are summed at once, of
#define ROWS 6                   // tiles at once
#define TILES 48                 // in a block, a multiple of ROWS
#define POINTS 36
#define SIDE 4  // of a tile in pixels

#define A 0.625f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *from) { return *(const vector *)from; }
INLINE void store(float *to, vector value) { *(vector *)to = value; }

// Six pixels to six points.
INLINE void to_points(const vector x[6], vector v[6]) {
    vector even_a = x[4] - B2 * x[2], odd_a = A * x[3] - (A * B2) * x[1];
    vector even_b = x[4] - A2 * x[2], odd_b = B * x[3] - (B * A2) * x[1];
    v[0] = x[4] - (A2 + B2) * x[2] + (A2 * B2) * x[0];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = x[5] - (A2 + B2) * x[3] + (A2 * B2) * x[1];
}

// Six points to four pixels.
INLINE void to_pixels(const vector m[6], vector y[4]) {
    vector sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    vector sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1] = A * difference_a + B * difference_b;
    y[2] = A2 * sum_a + B2 * sum_b;
    y[3] = (A2 * A) * difference_a + (B2 * B) * difference_b + m[5];
}

typedef struct {
    long batch, height, width, c_in, c_out;
} Shape;

// Where in a map of so many channels the pixel (row, column) of a tile lies, counted from the tile's corner; -1 if that
// is beyond the map.
static inline long pixel(Shape s, long channels, long tile, long row, long column) {
    long across = (s.width + SIDE - 1) / SIDE, down = (s.height + SIDE - 1) / SIDE;
    long n = tile / (across * down), y = tile / across % down * SIDE + row, x = tile % across * SIDE + column;
    int inside = y >= 0 && x >= 0 && y < s.height && x < s.width;
    return inside ? ((n * s.height + y) * s.width + x) * channels : -1;
}

// To v (POINTS, TILES, c_in), as the t-th of a block.
static void read_tile(const float *x, float *v, Shape s, long tile, long t, const float *zeros) {
    const float *from[6][6];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            long place = pixel(s, s.c_in, tile, i - 1, j - 1);
            from[i][j] = place < 0 ? zeros : x + place;
        }
    for (long c = 0; c < s.c_in; c += LANES) {
        vector across[6][6], column[6], points[6];
        for (int i = 0; i < 6; i++) {
            vector row[6];
            for (int j = 0; j < 6; j++) row[j] = load(from[i][j] + c);
            to_points(row, across[i]);
        }
        for (int j = 0; j < 6; j++) {
            for (int i = 0; i < 6; i++) column[i] = across[i][j];
            to_points(column, points);
            for (int i = 0; i < 6; i++) store(v + ((i * 6 + j) * TILES + t) * s.c_in + c, points[i]);
        }
    }
}

// m (ROWS of c_out, WIDTH) = v (ROWS, c_in) u (c_in, WIDTH).
static void multiply(const float *restrict v, const float *restrict u, float *restrict m, long c_in, long c_out) {
    vector sums[ROWS][VECTORS];
    memset(sums, 0, sizeof sums);
    for (long k = 0; k < c_in; k++)
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < VECTORS; j++) sums[i][j] += v[i * c_in + k] * load(u + k * WIDTH + j * LANES);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++) store(m + i * c_out + j * LANES, sums[i][j]);
}

// All tiles of a block at the points from first to last.
static void multiply_block(const float *v, const float *u, float *m, Shape s, long count, int first, int last) {
    for (int p = first; p < last; p++)
        for (long o = 0; o < s.c_out; o += WIDTH)
            for (long t = 0; t < count; t += ROWS)
                multiply(v + (p * TILES + t) * s.c_in, u + (p * s.c_out + o) * s.c_in,
                         m + (p * TILES + t) * s.c_out + o, s.c_in, s.c_out);
}

// From m (POINTS, TILES, c_out). Pixels beyond the map are written where the tile's products have just been read.
static void write_tile(float *m, const float *bias, float *y, Shape s, long tile, long t, int add) {
    float *to[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            long place = pixel(s, s.c_out, tile, i, j);
            to[i][j] = place < 0 ? m + t * s.c_out : y + place;
        }
    for (long c = 0; c < s.c_out; c += LANES) {
        vector across[6][SIDE], column[6], pixels[SIDE], shift = load(bias + c);
        for (int i = 0; i < 6; i++) {
            vector row[6];
            for (int j = 0; j < 6; j++) row[j] = load(m + ((i * 6 + j) * TILES + t) * s.c_out + c);
            to_pixels(row, across[i]);
        }
        for (int j = 0; j < SIDE; j++) {
            for (int i = 0; i < 6; i++) column[i] = across[i][j];
            to_pixels(column, pixels);
            for (int i = 0; i < SIDE; i++) {
                vector sum = pixels[i] + shift;
                if (add) sum += load(to[i][j] + c);
                store(to[i][j] + c, sum);
            }
        }
    }
}

int winograd_width(void) { return WIDTH; }

// Numbers that a thread's workspace has, with so many channels in and out together.
int winograd_workspace(int channels) { return (POINTS * TILES + 1) * channels; }

// x (batch, height, width, c_in), u (POINTS, c_out / WIDTH, c_in, WIDTH), bias (c_out,),
// workspace (threads, winograd_workspace); y (batch, height, width, c_out) is written, or added to. LANES divides c_in,
// WIDTH divides c_out.
void winograd(const float *x, const float *u, const float *bias, float *y, float *workspace, long batch, long height,
              long width, long c_in, long c_out, int add, int threads) {
    Shape s = {batch, height, width, c_in, c_out};
    long tiles = batch * ((height + SIDE - 1) / SIDE) * ((width + SIDE - 1) / SIDE);
    float *zeros = workspace, *v = zeros + c_in, *m = v + POINTS * TILES * c_in;
    memset(zeros, 0, c_in * sizeof *zeros);
    if (2 * tiles <= (long)TILES * threads) {
        // Reading the weights would take longest if each thread had tiles of its own. Of a block that they share, each
        // needs those of its points.
#pragma omp parallel num_threads(threads)
        for (long first = 0; first < tiles; first += TILES) {
            long count = tiles - first < TILES ? tiles - first : TILES;
#pragma omp for
            for (long t = 0; t < count; t++) read_tile(x, v, s, first + t, t, zeros);
#pragma omp for
            for (int p = 0; p < POINTS; p++) multiply_block(v, u, m, s, count, p, p + 1);
#pragma omp for
            for (long t = 0; t < count; t++) write_tile(m, bias, y, s, first + t, t, add);
        }
        return;
    }
#pragma omp parallel for num_threads(threads)
    for (int part = 0; part < threads; part++) {
        long offset = (long)part * winograd_workspace(c_in + c_out), end = tiles * (part + 1) / threads;
        for (long first = tiles * part / threads; first < end; first += TILES) {
            long count = end - first < TILES ? end - first : TILES;
            for (long t = 0; t < count; t++) read_tile(x, v + offset, s, first + t, t, zeros);
            multiply_block(v + offset, u, m + offset, s, count, 0, POINTS);
            for (long t = 0; t < count; t++) write_tile(m + offset, bias, y, s, first + t, t, add);
        }
    }
}
