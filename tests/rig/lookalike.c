/* A libnvidia-ml.so.1 look-alike, read by the real Python bindings.
 *
 * Its GPUs live in a file ($FAKE_NVML_STATE, mapped read-only) that lookalike.py writes and whose layout it mirrors. Energy
 * is a closed form of CLOCK_MONOTONIC, stepped every energy_period seconds. Functions that are not here give
 * NVMLError_FunctionNotFound in the bindings by themselves; with -DOLD_DRIVER those are missing that an old driver lacks.
 * lookalike.py builds it (gcc; nvml.h of nvidia-nvml-dev).
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
#define MAX_PROCESSES 4
#define API __attribute__((visibility("default"))) nvmlReturn_t

typedef struct {
  char name[96], uuid[96], bus[32];
  double base_mj, base_s, power_w; /* from base_s on: base_mj + power_w * elapsed */
  double past_w, past_s;           /* the power before base_s, back to past_s */
  double energy_period, limit_w;
  double lost_at; /* CLOCK_MONOTONIC from which on every call answers GPU_IS_LOST; 0: never */
  double power_period, power_scale, memory, memory_used; /* readings of power lie power_scale beside the truth; bytes */
  uint64_t reasons;                                      /* why clocks are lower, as NVML's mask */
  int32_t energy_ok, limit_ok, mig_ok, mig, virt, error, energy_error;
  int32_t power_ok, state_ok, processes_ok; /* state: clocks, temperature, reasons, pstate, persistence, ECC */
  int32_t power_error, clock_error;
  int32_t sm_mhz, sm_mhz_max, temperature, pstate, persistence, ecc;
  int32_t pids[MAX_PROCESSES]; /* compute processes; 0: none */
} Gpu;

typedef struct {
  uint32_t magic, sequence, gpus; /* sequence: odd while the controller writes */
  int32_t init_error, cuda;
  char driver[80];
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

API nvmlSystemGetDriverVersion(char *out, unsigned size) { ATTACHED; return text(out, size, state->driver); }
#ifndef OLD_DRIVER
API nvmlSystemGetCudaDriverVersion_v2(int *out) { ATTACHED; *out = state->cuda; return NVML_SUCCESS; }
#endif

API nvmlDeviceGetCount_v2(unsigned *count) { ATTACHED; *count = state->gpus; return NVML_SUCCESS; }
API nvmlDeviceGetHandleByIndex_v2(unsigned i, nvmlDevice_t *device) {
  ATTACHED;
  if (i >= state->gpus) return NVML_ERROR_INVALID_ARGUMENT;
  *device = (nvmlDevice_t)(uintptr_t)(i + 1);
  return NVML_SUCCESS;
}
API nvmlDeviceGetName(nvmlDevice_t device, char *out, unsigned size) { GPU; return text(out, size, gpu.name); }
API nvmlDeviceGetUUID(nvmlDevice_t device, char *out, unsigned size) { GPU; return text(out, size, gpu.uuid); }
API nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *out) { /* Zeus tells a counter by it */
  GPU;
  *out = gpu.energy_ok ? NVML_DEVICE_ARCH_HOPPER : NVML_DEVICE_ARCH_PASCAL;
  return NVML_SUCCESS;
}
API nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
  GPU;
  memset(pci, 0, sizeof *pci);
  return text(pci->busId, sizeof pci->busId, gpu.bus);
}

static double stepped(double period) {
  double t = now_s();
  return period > 0 ? floor(t / period) * period : t;
}
#ifndef OLD_DRIVER
static double energy_mj(const Gpu *gpu) {
  double t = stepped(gpu->energy_period);
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
#endif
API nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *out) {
  GPU;
  if (gpu.power_error) return (nvmlReturn_t)gpu.power_error;
  if (!gpu.power_ok) return NVML_ERROR_NOT_SUPPORTED;
  *out = (unsigned)((stepped(gpu.power_period) < gpu.base_s ? gpu.past_w : gpu.power_w) * gpu.power_scale * 1e3 + .5);
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

#define STATE GPU; if (!gpu.state_ok) return NVML_ERROR_NOT_SUPPORTED
API nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *out) {
  GPU;
  out->total = (unsigned long long)gpu.memory;
  out->used = (unsigned long long)gpu.memory_used;
  out->free = out->total - out->used;
  return NVML_SUCCESS;
}
API nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *out) {
  STATE;
  if (gpu.clock_error) return (nvmlReturn_t)gpu.clock_error;
  if (type != NVML_CLOCK_SM) return NVML_ERROR_NOT_SUPPORTED;
  *out = gpu.sm_mhz;
  return NVML_SUCCESS;
}
API nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *out) {
  STATE;
  if (type != NVML_CLOCK_SM) return NVML_ERROR_NOT_SUPPORTED;
  *out = gpu.sm_mhz_max;
  return NVML_SUCCESS;
}
API nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *out) {
  STATE;
  if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_NOT_SUPPORTED;
  *out = gpu.temperature;
  return NVML_SUCCESS;
}
API nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *out) { STATE; *out = gpu.pstate; return NVML_SUCCESS; }
API nvmlDeviceGetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t *out) {
  STATE;
  *out = gpu.persistence;
  return NVML_SUCCESS;
}
API nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending) {
  STATE;
  *current = *pending = gpu.ecc;
  return NVML_SUCCESS;
}
API nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *out) {
  STATE;
  *out = gpu.reasons;
  return NVML_SUCCESS;
}
#ifndef OLD_DRIVER
API nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *out) {
  STATE;
  *out = gpu.reasons;
  return NVML_SUCCESS;
}
API nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *out) {
  GPU;
  unsigned room = *count, found = 0;
  if (!gpu.processes_ok) return NVML_ERROR_NO_PERMISSION;
  for (int i = 0; i < MAX_PROCESSES; i++) {
    if (!gpu.pids[i]) continue;
    if (found < room && out)
      out[found] = (nvmlProcessInfo_t){.pid = gpu.pids[i],
                                       .usedGpuMemory = (unsigned long long)gpu.memory_used,
                                       .gpuInstanceId = 0xffffffffu,
                                       .computeInstanceId = 0xffffffffu};
    found++;
  }
  *count = found;
  return found <= room ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}
#endif
