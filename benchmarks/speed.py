"""Training and inference in tokens per second: ours, fast and plain, torch's, a textbook's."""

import statistics
import sys
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from .contenders import CONTENDERS
from .measure import median_ratio, seconds_by_turns, table

VOCAB = 8000
BASELINE = "nn.Transformer"
# Dense bfloat16 operations a second that the makers state, for model-FLOP utilisation.
PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}


@dataclass(frozen=True)
class Size:
    """A model, and the batch (sequences, tokens on either side) that it gets."""

    d_model: int
    num_heads: int
    d_ff: int
    num_layers: int
    cpu_batch: tuple
    gpu_batch: tuple

    def arguments(self):
        return VOCAB, self.d_model, self.num_heads, self.d_ff, self.num_layers, 0.1


SIZES = {
    "small": Size(256, 4, 1024, 4, (16, 32), (256, 128)),
    "base": Size(512, 8, 2048, 6, (8, 32), (128, 128)),
    "big": Size(1024, 16, 4096, 6, (4, 32), (128, 128)),
}


def batch(size, device):
    """Random tokens, with padding: sequences fill from 60 % to all of the length."""
    sequences, length = size.gpu_batch if device.type == "cuda" else size.cpu_batch
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, VOCAB, (2, sequences, length), generator=generator)
    real = torch.randint(int(0.6 * length), length + 1, (2, sequences, 1), generator=generator)
    tokens[torch.arange(length) >= real] = 0
    source, target = tokens.to(device)
    return source, target


def training_job(model, source, target, dtype):
    """One step as people take it: forward, loss, backward, Adam."""
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def job():
        with torch.autocast(source.device.type, dtype, enabled=dtype != torch.float32):
            logits = model(source, target)
            loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return job


def inference_job(model, source, target, dtype):
    """One pass over source and target, without dropout and gradients."""
    model.eval()

    def job():
        autocast = torch.autocast(source.device.type, dtype, enabled=dtype != torch.float32)
        with torch.inference_mode(), autocast:
            model(source, target)

    return job


def model_flops(size, device):
    """Floating point operations of one training step's matrix products, counted by torch."""
    source, target = batch(size, device)
    model = CONTENDERS["textbook"](*size.arguments()).to(device)
    with FlopCounterMode(display=False) as counter:
        model(source, target).sum().backward()
    return counter.get_total_flops()


def utilisation(size, seconds, device):
    """The share of the GPU's peak that went into the model's matrix products."""
    name = torch.cuda.get_device_name(device)
    peak = next((flops for chip, flops in PEAK_FLOPS.items() if chip in name), None)
    return "" if peak is None else f"{model_flops(size, device) / seconds / peak:.0%}"


def compare(size_name, task, compiled, dtype, device, rounds):
    """One row for each contender: what was run, its tokens per second, its ratio to torch's."""
    size = SIZES[size_name]
    source, target = batch(size, device)
    tokens = int((source != 0).sum() + (target != 0).sum())
    make_job = {"training": training_job, "inference": inference_job}[task]
    jobs = {}
    for name, contender in CONTENDERS.items():
        torch.manual_seed(0)
        model = contender(*size.arguments()).to(device)
        jobs[name] = make_job(torch.compile(model) if compiled else model, source, target, dtype)
    times = seconds_by_turns(jobs, device, rounds, warm_up=3)
    rows = []
    for name, measured in times.items():
        middle = statistics.median(measured)
        row = [
            f"{size_name}, {task}, {'compiled' if compiled else 'eager'}, {str(dtype)[6:]}",
            name,
            f"{1000 * middle:.1f}",
            f"{tokens / middle:,.0f}",
            f"{median_ratio(times[BASELINE], measured):.2f}",
        ]
        if device.type == "cuda":
            full = task == "training" and dtype == torch.bfloat16
            row.append(utilisation(size, middle, device) if full else "")
        rows.append(row)
    torch._dynamo.reset()
    return rows


def run(device, sizes=None, modes=(False, True), rounds=10):
    """Compare in all sizes, eager and compiled, and on a GPU in bfloat16 too."""
    on_gpu = device.type == "cuda"
    sizes = sizes or (["small", "base", "big"] if on_gpu else ["small", "base"])
    rows = []
    for size in sizes:
        for dtype in (torch.float32, torch.bfloat16) if on_gpu else (torch.float32,):
            for compiled in modes:
                for task in ("training", "inference"):
                    how = "compiled" if compiled else "eager"
                    print(f"measuring {size}, {task}, {how} ...", file=sys.stderr, flush=True)
                    rows += compare(size, task, compiled, dtype, device, rounds)
    header = ["what", "who", "ms", "tokens/s", f"× {BASELINE}"] + ["MFU"] * on_gpu
    return table(header, rows, texts=2)


def profile(size_name, device):
    """Where the time of a training step goes, for ours and for torch's."""
    size = SIZES[size_name]
    source, target = batch(size, device)
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    reports = []
    for name in ("ours, fast", BASELINE):
        model = CONTENDERS[name](*size.arguments()).to(device)
        job = training_job(model, source, target, torch.float32)
        for _ in range(2):
            job()
        with torch.profiler.profile() as profiler:
            for _ in range(3):
                job()
        reports.append(f"{name}\n{profiler.key_averages().table(sort_by=key, row_limit=12)}")
    return "\n\n".join(reports)
