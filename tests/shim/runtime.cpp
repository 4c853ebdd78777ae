/* Memory, streams, events and graphs of the stand-in (cuda_runtime_api.h). Everything is queued; who waits, works. */
#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "cuda_runtime.h"

typedef std::vector<std::function<void()>> work_list;

struct shim_stream {
    std::deque<std::function<void()>> queue;
    size_t done = 0; /* of all that was ever queued */
    bool capturing = false;
    work_list captured;
};

struct shim_event {
    cudaStream_t stream = nullptr; /* NULL: never recorded */
    size_t after = 0;              /* so much of the stream's work */
    std::shared_ptr<double> time = std::make_shared<double>(0); /* milliseconds, when it was reached */
};

struct shim_graph { work_list work; };

namespace {

std::map<void *, size_t> allocations;
size_t allocated;
std::set<cudaGraphExec_t> executables;

size_t setting(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

void work_until(cudaStream_t stream, size_t after)
{
    while (stream->done < after) {
        const std::function<void()> work = std::move(stream->queue.front());
        stream->queue.pop_front();
        work();
        stream->done++;
    }
}

size_t queued(cudaStream_t stream)
{
    return stream->done + stream->queue.size();
}

size_t hash_of(const void *bytes, size_t count)
{
    return std::hash<std::string_view>()(std::string_view(static_cast<const char *>(bytes), count));
}

double now()
{
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

void shim_enqueue(cudaStream_t stream, std::function<void()> work)
{
    if (!stream) {
        fprintf(stderr, "shim: the default stream is not used here\n");
        abort();
    }
    if (stream->capturing)
        stream->captured.push_back(std::move(work));
    else
        stream->queue.push_back(std::move(work));
}

bool shim_launch_fails()
{
    static size_t launches;
    return ++launches == setting("SHIM_LAUNCH", 0);
}

extern "C" {

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = static_cast<int>(setting("SHIM_DEVICES", 1));
    return *count ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device)
{
    return device >= 0 && device < static_cast<int>(setting("SHIM_DEVICES", 1)) ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int)
{
    const size_t capability = setting("SHIM_CAPABILITY", 90);
    *properties = {};
    strcpy(properties->name, "host shim");
    properties->totalGlobalMem = setting("SHIM_MEMORY", size_t(4) << 30);
    properties->major = static_cast<int>(capability / 10);
    properties->minor = static_cast<int>(capability % 10);
    properties->multiProcessorCount = 1;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    *total = setting("SHIM_MEMORY", size_t(4) << 30);
    *free_bytes = *total > allocated ? *total - allocated : 0;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    if (bytes > setting("SHIM_MEMORY", size_t(4) << 30) - allocated || !(*memory = aligned_alloc(256, (bytes + 255) / 256 * 256)))
        return cudaErrorMemoryAllocation;
    memset(*memory, 0xff, bytes); /* NaN, whatever the type */
    allocations[*memory] = bytes;
    allocated += bytes;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (!memory)
        return cudaSuccess;
    const auto found = allocations.find(memory);
    if (found == allocations.end())
        return cudaErrorInvalidValue;
    allocated -= found->second;
    allocations.erase(found);
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    return (*memory = malloc(bytes ? bytes : 1)) ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *memory)
{
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    const size_t meant = kind == cudaMemcpyHostToDevice ? hash_of(from, bytes) : 0;
    shim_enqueue(stream, [=] {
        if (kind == cudaMemcpyHostToDevice && hash_of(from, bytes) != meant) {
            fprintf(stderr, "shim: what is copied to the device was written again before\n");
            abort();
        }
        memcpy(to, from, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    shim_enqueue(stream, [=] { memset(memory, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = new shim_stream;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (stream->capturing)
        return cudaErrorStreamCaptureUnsupported;
    work_until(stream, queued(stream));
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    const cudaStream_t other = event->stream;
    const size_t after = event->after;
    if (other && other != stream)
        shim_enqueue(stream, [=] { work_until(other, after); });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new shim_event;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    event->time = std::make_shared<double>(0);
    const std::shared_ptr<double> time = event->time;
    shim_enqueue(stream, [=] { *time = now(); });
    event->stream = stream;
    event->after = queued(stream);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (event->stream)
        work_until(event->stream, event->after);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end)
{
    *milliseconds = static_cast<float>(*end->time - *begin->time);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (stream->capturing)
        return cudaErrorInvalidValue;
    stream->capturing = true;
    stream->captured.clear();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    if (!stream->capturing)
        return cudaErrorInvalidValue;
    stream->capturing = false;
    if (!setting("SHIM_GRAPHS", 1)) {
        stream->captured.clear();
        *graph = nullptr;
        return cudaErrorStreamCaptureInvalidated;
    }
    *graph = new shim_graph{std::move(stream->captured)};
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    *exec = new shim_graph{graph->work};
    executables.insert(*exec);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    for (const auto &work : exec->work)
        shim_enqueue(stream, work);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    if (executables.erase(exec) == 0) { /* a device's runtime would crash, or destroy another one */
        fprintf(stderr, "shim: a graph that is not there is destroyed\n");
        abort();
    }
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    }
    return "an error";
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    default: return "as its name says";
    }
}

} // extern "C"
