// Group normalisation of a channels_last feature map, and SiLU, in two passes over memory instead of four.
//
//     y = silu((x - mean_g) / sqrt(var_g + eps) * weight_c + bias_c),    silu(v) = v / (1 + exp(-v))
//
// x and y are (batch, pixels, channels), in float32 or bfloat16; the arithmetic is float32, the sums are float64.

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64  // pixels whose sums are taken in float32

typedef uint16_t bfloat16;

static inline float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float read_bfloat16(bfloat16 value) { return from_bits((uint32_t)value << 16); }

static inline bfloat16 to_bfloat16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;  // to nearest, ties to even
}

static inline float read_float(float value) { return value; }
static inline float to_float(float value) { return value; }

// 2^t by a polynomial in the fraction of t, to 2e-7; written out so that the compiler makes vectors of it.
static inline float exp2_fast(float t) {
    t = t < -126.0f ? -126.0f : t > 126.0f ? 126.0f : t;
    float whole = rintf(t), f = t - whole;
    uint32_t bits;
    float p = 1.5403530e-4f;
    p = p * f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    memcpy(&bits, &p, sizeof bits);
    return from_bits(bits + ((uint32_t)(int32_t)whole << 23));  // times 2^whole, by adding to the exponent
}

static inline float activation(float v) { return v / (1.0f + exp2_fast(-1.44269504f * v)); }

#define NORM_SILU(TYPE, READ, WRITE)                                                                                  \
    void norm_silu_##TYPE(const TYPE *restrict x, TYPE *restrict y, const TYPE *restrict weight,                       \
                          const TYPE *restrict bias, double *restrict sums, long batch, long pixels, long channels,   \
                          long groups, float eps, int silu, int threads) {                                            \
        long share = (pixels + threads - 1) / threads;                                                                \
        _Pragma("omp parallel num_threads(threads)") {                                                                \
            long me = omp_get_thread_num(), first = me * share;                                                       \
            long last = first + share < pixels ? first + share : pixels;                                              \
            float scale[channels], shift[channels];                                                                   \
            for (long n = 0; n < batch; n++) {                                                                        \
                double *total = sums + (n * threads + me) * 2 * channels;                                             \
                memset(total, 0, 2 * channels * sizeof *total);                                                       \
                for (long start = first; start < last; start += BLOCK) {                                              \
                    long end = start + BLOCK < last ? start + BLOCK : last;                                           \
                    float *sum = scale, *square = shift;                                                              \
                    memset(sum, 0, channels * sizeof *sum);                                                           \
                    memset(square, 0, channels * sizeof *square);                                                     \
                    for (long i = start; i < end; i++) {                                                              \
                        const TYPE *row = x + (n * pixels + i) * channels;                                            \
                        for (long c = 0; c < channels; c++) {                                                         \
                            float v = READ(row[c]);                                                                   \
                            sum[c] += v;                                                                              \
                            square[c] += v * v;                                                                       \
                        }                                                                                             \
                    }                                                                                                 \
                    for (long c = 0; c < channels; c++) total[c] += sum[c];                                           \
                    for (long c = 0; c < channels; c++) total[channels + c] += square[c];                             \
                }                                                                                                     \
            }                                                                                                         \
            _Pragma("omp barrier")                                                                                    \
            for (long n = 0; n < batch; n++) {                                                                        \
                long width = channels / groups;                                                                       \
                for (long g = 0; g < groups; g++) {                                                                   \
                    double sum = 0, square = 0, count = (double)width * pixels;                                       \
                    for (long other = 0; other < threads; other++) {                                                  \
                        const double *total = sums + (n * threads + other) * 2 * channels;                            \
                        for (long c = g * width; c < (g + 1) * width; c++) {                                          \
                            sum += total[c];                                                                          \
                            square += total[channels + c];                                                            \
                        }                                                                                             \
                    }                                                                                                 \
                    double mean = sum / count, variance = square / count - mean * mean;                               \
                    float inverse = 1 / sqrt((variance > 0 ? variance : 0) + eps);                                    \
                    for (long c = g * width; c < (g + 1) * width; c++) {                                              \
                        scale[c] = inverse * READ(weight[c]);                                                         \
                        shift[c] = READ(bias[c]) - (float)mean * scale[c];                                            \
                    }                                                                                                 \
                }                                                                                                     \
                for (long i = n * pixels + first; i < n * pixels + last; i++) {                                       \
                    const TYPE *from = x + i * channels;                                                              \
                    TYPE *to = y + i * channels;                                                                      \
                    if (silu)                                                                                         \
                        for (long c = 0; c < channels; c++)                                                           \
                            to[c] = WRITE(activation(READ(from[c]) * scale[c] + shift[c]));                           \
                    else                                                                                              \
                        for (long c = 0; c < channels; c++) to[c] = WRITE(READ(from[c]) * scale[c] + shift[c]);       \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    }

NORM_SILU(float, read_float, to_float)
NORM_SILU(bfloat16, read_bfloat16, to_bfloat16)
