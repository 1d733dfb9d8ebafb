/* A libnvidia-ml.so.1 look-alike, read by the real Python bindings.
 *
 * Its GPUs live in a file ($FAKE_NVML_STATE, mapped read-only) that lookalike.py writes and whose layout it mirrors. Energy
 * is a closed form of CLOCK_MONOTONIC, stepped every energy_period seconds. Functions that are not here give
 * NVMLError_FunctionNotFound in the bindings by themselves. lookalike.py builds it (gcc; nvml.h of nvidia-nvml-dev).
 */
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <fcntl.h>
#include <math.h>
#include <nvml.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x4e564d4c
#define MAX_GPUS 16
#define API __attribute__((visibility("default"))) nvmlReturn_t

typedef struct {
  char name[96], uuid[96], bus[32];
  double base_mj, base_s, power_w; /* from base_s on: base_mj + power_w * elapsed */
  double past_w, past_s;           /* the power before base_s, back to past_s */
  double energy_period, limit_w;
  double lost_at; /* CLOCK_MONOTONIC from which on every call answers GPU_IS_LOST; 0: never */
  int32_t energy_ok, limit_ok, mig_ok, mig, virt, error, energy_error;
} Gpu;

typedef struct {
  uint32_t magic, sequence, gpus; /* sequence: odd while the controller writes */
  int32_t init_error;
  Gpu gpu[MAX_GPUS];
} State;

static State *state;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static nvmlReturn_t attach(void) {
  const char *path = getenv("FAKE_NVML_STATE");
  int fd;
  if (state) return NVML_SUCCESS;
  if (!path || (fd = open(path, O_RDONLY)) < 0) return NVML_ERROR_DRIVER_NOT_LOADED;
  State *mapped = mmap(0, sizeof(State), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED || mapped->magic != MAGIC) return NVML_ERROR_DRIVER_NOT_LOADED;
  state = mapped;
  return NVML_SUCCESS;
}

static nvmlReturn_t consistent_copy(nvmlDevice_t device, Gpu *gpu) {
  unsigned i = (unsigned)(uintptr_t)device - 1;
  uint32_t sequence;
  if (!state) return NVML_ERROR_UNINITIALIZED;
  if (!device || i >= state->gpus) return NVML_ERROR_INVALID_ARGUMENT;
  do {
    while ((sequence = __atomic_load_n(&state->sequence, __ATOMIC_ACQUIRE)) & 1) usleep(5);
    memcpy(gpu, &state->gpu[i], sizeof *gpu);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
  } while (sequence != __atomic_load_n(&state->sequence, __ATOMIC_RELAXED));
  if (gpu->error) return (nvmlReturn_t)gpu->error;
  return gpu->lost_at && now_s() >= gpu->lost_at ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

#define ATTACHED if (!state) return NVML_ERROR_UNINITIALIZED
#define GPU Gpu gpu; nvmlReturn_t failure = consistent_copy(device, &gpu); if (failure) return failure

static nvmlReturn_t text(char *out, unsigned size, const char *value) {
  if (strlen(value) + 1 > size) return NVML_ERROR_INSUFFICIENT_SIZE;
  strcpy(out, value);
  return NVML_SUCCESS;
}

API nvmlInitWithFlags(unsigned flags) {
  nvmlReturn_t failure = attach();
  return failure ? failure : (nvmlReturn_t)state->init_error;
}
API nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
API nvmlShutdown(void) { ATTACHED; return NVML_SUCCESS; }

__attribute__((visibility("default"))) const char *nvmlErrorString(nvmlReturn_t code) {
  switch (code) {
  case NVML_SUCCESS: return "Success";
  case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
  case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
  case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
  case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "RM has detected an NVML/RM version mismatch.";
  default: return "Unknown Error";
  }
}

API nvmlDeviceGetCount_v2(unsigned *count) { ATTACHED; *count = state->gpus; return NVML_SUCCESS; }
API nvmlDeviceGetHandleByIndex_v2(unsigned i, nvmlDevice_t *device) {
  ATTACHED;
  if (i >= state->gpus) return NVML_ERROR_INVALID_ARGUMENT;
  *device = (nvmlDevice_t)(uintptr_t)(i + 1);
  return NVML_SUCCESS;
}
API nvmlDeviceGetName(nvmlDevice_t device, char *out, unsigned size) { GPU; return text(out, size, gpu.name); }
API nvmlDeviceGetUUID(nvmlDevice_t device, char *out, unsigned size) { GPU; return text(out, size, gpu.uuid); }
API nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
  GPU;
  memset(pci, 0, sizeof *pci);
  return text(pci->busId, sizeof pci->busId, gpu.bus);
}

static double energy_mj(const Gpu *gpu) {
  double t = now_s();
  if (gpu->energy_period > 0) t = floor(t / gpu->energy_period) * gpu->energy_period;
  if (t >= gpu->base_s) return gpu->base_mj + gpu->power_w * 1e3 * (t - gpu->base_s);
  if (t < gpu->past_s) t = gpu->past_s;
  return gpu->base_mj - gpu->past_w * 1e3 * (gpu->base_s - t);
}
API nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *out) {
  GPU;
  if (gpu.energy_error) return (nvmlReturn_t)gpu.energy_error;
  if (!gpu.energy_ok) return NVML_ERROR_NOT_SUPPORTED;
  *out = (unsigned long long)energy_mj(&gpu);
  return NVML_SUCCESS;
}
API nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *out) {
  GPU;
  if (!gpu.limit_ok) return NVML_ERROR_NOT_SUPPORTED;
  *out = (unsigned)(gpu.limit_w * 1e3);
  return NVML_SUCCESS;
}
API nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
  GPU;
  if (!gpu.mig_ok) return NVML_ERROR_NOT_SUPPORTED;
  *current = *pending = gpu.mig;
  return NVML_SUCCESS;
}
API nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t *mode) {
  GPU;
  *mode = gpu.virt;
  return NVML_SUCCESS;
}
