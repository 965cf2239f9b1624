"""A large build on paper: a million SAE latents in each of ten networks, on 100 GPUs
(`python benchmarks/atlas_paper.py`). Every constant is measured here or an assumption, and says which.
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_sections import put
from tables import align


@dataclass(frozen=True)
class Paper:
    """The build, and what one of each thing costs."""

    networks: int = 10
    latents: int = 1_000_000
    gpus: int = 100
    job_size: int = 128
    steps: int = 64
    # Assumed: a ViT-B/16 at 224 pixels, cut after block 9 of 12: 17.5 GMAC × 0.75; forward, and as much again for the
    # gradient of the input; a GPU that does 312 TFLOP/s in bfloat16 on paper, and 30 % of that here.
    flop_per_step: float = 2 * 2 * 17.5e9 * 0.75
    flop_per_s: float = 0.3 * 312e12
    euros_per_gpu_hour: float = 2.0
    # Measured (efficientnet_lite0, 96 pixels, lossy of quality 80 and lossless, with the rest of the row); pictures of
    # 224 pixels are assumed to grow with their area.
    lossy_bytes: float = 4963.5 * (224 / 96) ** 2
    lossless_bytes: float = 16972 * (224 / 96) ** 2
    # Measured on one core: WebP of 224 pixels (pictures of 96, enlarged), lossy of quality 80 and lossless.
    lossy_s: float = 0.0038
    lossless_s: float = 0.0077
    pack_bytes: float = 256 * 2**20
    # Measured on moto's S3: requests of a build for each job; the last GETs and the DELETE are the packing's.
    heads: float = 1.0
    puts: float = 1.0
    gets: float = 6.4
    deletes: float = 1.0
    # Assumed: a store's prices, and how long one request takes.
    euros_per_million_puts: float = 5.0
    euros_per_million_gets: float = 0.4
    request_s: float = 0.03
    reads_at_once: int = 16
    # Measured, on one core: the driver's own time for a job of 128 pictures on Ray; a planned picture.
    driver_s_per_job: float = 0.0012
    planned_s: float = 7.3e-6
    planned_bytes: float = 195.0

    def rate(self, encoding_s: float) -> float:
        """Pictures a second and GPU, whose worker renders and then encodes."""
        return 1 / (self.flop_per_step * self.steps / self.flop_per_s + encoding_s)


def main() -> None:
    text = markdown(Paper())
    put("paper", text)
    print(text)


def markdown(of: Paper) -> str:
    pictures = of.networks * of.latents
    rate = of.rate(of.lossy_s)
    hours = pictures / rate / of.gpus / 3600
    jobs = pictures / of.job_size
    requests = jobs * (of.heads + of.puts + of.gets + of.deletes)
    euros = jobs * ((of.puts + of.deletes) * of.euros_per_million_puts) / 1e6
    euros += jobs * (of.heads + of.gets) * of.euros_per_million_gets / 1e6
    fleet_jobs_per_s = rate * of.gpus / of.job_size
    driver_s = of.request_s * of.heads + of.driver_s_per_job
    packs = max(of.networks, pictures * of.lossy_bytes / of.pack_bytes)
    rows = [
        ["", "", "from"],
        ["pictures", f"{pictures:,}", f"{of.networks} networks × {of.latents:,} latents, one picture each"],
        ["pictures a second and GPU", f"{rate:.0f}", f"{of.steps} steps, ViT-B/16 to block 9 (assumed), then WebP"],
        ["hours", f"{hours:.1f}", f"{of.gpus} GPUs"],
        ["euros for GPUs", f"{hours * of.gpus * of.euros_per_gpu_hour:,.0f}", "2 € an hour (assumed)"],
        ["parts while it is built", f"{jobs:,.0f}", f"{of.job_size} pictures in a job"],
        ["files in the end", f"{packs:,.0f}", "packs of 256 MiB"],
        [
            "bytes, lossy (quality 80)",
            f"{pictures * of.lossy_bytes / 1e9:,.0f} GB",
            "measured at 96 px, times the area",
        ],
        ["bytes, without loss", f"{pictures * of.lossless_bytes / 1e9:,.0f} GB", "the same"],
        ["requests", f"{requests:,.0f}", "1 HEAD, 1 PUT, 6.4 GET, 1 DELETE a job (measured)"],
        ["euros for requests", f"{euros:.2f}", "5 € a million PUTs, 0.40 € a million GETs (assumed)"],
        ["written, MB a second", f"{rate * of.gpus * of.lossy_bytes / 1e6:.0f}", "all GPUs together, lossy"],
    ]
    return "\n".join(["## A large one on paper", "", *align(rows), "", *_limits(of, fleet_jobs_per_s, driver_s, jobs)])


def _limits(of: Paper, fleet_jobs_per_s: float, driver_s: float, jobs: float) -> list[str]:
    per_network = jobs / of.networks
    looking_s = 2 * per_network * of.request_s / of.reads_at_once
    packing_gb = of.latents * of.lossy_bytes / 1e9
    render_s = 1 / of.rate(0.0)
    return [
        "Where it would break first, and why it does not:",
        "",
        f"1. *Encoding* is the worker's own: {of.lossy_s * 1000:.1f} ms a picture lossy and {of.lossless_s * 1000:.0f} "
        f"ms without loss, beside {render_s * 1000:.0f} ms of rendering. Without loss the GPU would wait for "
        f"{100 * of.lossless_s / (of.lossless_s + render_s):.0f} % of the time, lossy for "
        f"{100 * of.lossy_s / (of.lossy_s + render_s):.0f} %, in one thread. A worker with an accelerator encodes in "
        "as many as eight; where cores are few, two workers share a GPU (gpus_per_worker=0.5), so that one encodes "
        "while the other renders.",
        f"2. *The driver's look whether a part is there* is one HEAD a job, one after another: {driver_s * 1000:.0f} "
        f"ms allow {1 / driver_s:.0f} jobs a second, and {of.gpus} GPUs on one atlas take {fleet_jobs_per_s:.0f} "
        f"({100 * fleet_jobs_per_s * driver_s:.0f} % of it). Jobs of 16 pictures would need "
        f"{fleet_jobs_per_s * of.job_size / 16:.0f}, and starve the GPUs: hence jobs of {of.job_size} on "
        "accelerators. Beyond that, several builders work on one atlas at once, or one on each network, as here.",
        f"3. *The plan in memory*: {of.planned_bytes:.0f} bytes and {of.planned_s * 1e6:.0f} µs a picture are "
        f"{of.latents * of.planned_bytes / 1e9:.2f} GB and {of.latents * of.planned_s:.0f} s for an atlas of "
        f"{of.latents:,}. Ten million units in one atlas would take 2 GB: one atlas for each network keeps it small.",
        f"4. *Reading the index before packing*: two GETs for each of {per_network:,.0f} parts, "
        f"{of.reads_at_once} at once, are {looking_s:.0f} s for an atlas; afterwards its "
        f"{of.latents * of.lossy_bytes / of.pack_bytes:.0f} packs are read in seconds.",
        f"5. *Packing* reads and writes {packing_gb:.0f} GB for each atlas in one process: minutes at 100 MB/s, once; "
        "killed, it goes on. The check of all rows at the end reads as much once more (`--no-verify` leaves it out).",
        "6. *Writing* is far below what a store takes (thousands of PUTs a second for each prefix); a part that is "
        "refused is tried seven times, with growing waits.",
    ]


if __name__ == "__main__":
    main()
