"""Costs of archives, and the simulation of many workers on cases that can be worked out."""

from dataclasses import replace

import pytest

pytest.importorskip("benchmarks.scaling.costs", reason="runs from the root of the checkout")
from benchmarks.scale import clusters, load_of, order_seconds
from benchmarks.scaling.costs import Archive, Rates, cost, measured_rates
from benchmarks.scaling.simulation import Cluster, Load, num_blocks, simulate

ARCHIVE = Archive(name="a", area_km2=100, gsd_m=0.5, side=10_000, input_bytes=3)
RATES = Rates(
    network_seconds={"net": 1.0},
    engine_seconds=0.1,
    base_bytes=1e9,
    peak_bytes=2e9,
    map_bytes=0.2,
    strip_bytes=3.0,
)
LOAD = Load(scenes=6, tile_rows=10, survey_seconds=1.0, row_seconds=2.0, assembly_seconds=3.0)
CALM = Cluster(workers=1, head_seconds=0.0)


def test_archive_is_counted_in_pixels() -> None:
    assert (ARCHIVE.megapixels, ARCHIVE.scenes) == (400.0, 4)


def test_cost_follows_from_the_rates() -> None:
    found = cost(ARCHIVE, RATES, network="net", workers=2)
    seconds = 400 * (512 / 448) ** 2 + 400 * 0.1
    assert found["core_hours"] == pytest.approx(seconds / 3600)
    assert found["hours_if_even"] == pytest.approx(seconds / 7200)
    assert (found["memory_bytes"], found["input_bytes"]) == (4e9, 1.2e9)
    assert (found["output_bytes"], found["scratch_bytes"]) == pytest.approx((8e7, 9e8))


def test_rates_come_from_measurements() -> None:
    rates = measured_rates()
    assert rates.seconds_per_mpx("cvmh_unet") > rates.seconds_per_mpx("cvmh_unet_small") > 0
    assert rates.peak_bytes > rates.base_bytes > 0


def test_load_keeps_the_cost_of_a_scene() -> None:
    load = load_of(ARCHIVE, RATES, network="net")
    computed = load.tile_rows * load.row_seconds + load.assembly_seconds
    assert computed == pytest.approx(100 * RATES.seconds_per_mpx("net"))
    assert load.tile_rows == 23


def test_one_worker_takes_as_long_as_the_work() -> None:
    run = simulate(LOAD, CALM)
    assert run.seconds == pytest.approx(LOAD.work_seconds)
    assert (run.tasks, run.blocks, run.deaths, run.failed_scenes) == (18, 6, 0, 0)


def test_many_workers_share_and_cut() -> None:
    run = simulate(LOAD, replace(CALM, workers=12))
    assert run.blocks == 12
    # A survey, half of the rows and the one that a cut costs, an assembly.
    assert run.seconds == pytest.approx(1 + (5 + 1) * 2 + 3)


def test_a_slow_head_is_the_limit() -> None:
    run = simulate(LOAD, replace(CALM, workers=12, head_seconds=10.0))
    assert run.head_busy_seconds == run.tasks * 10.0
    assert run.seconds >= run.head_busy_seconds
    assert run.head_wait_seconds > 0


def test_deaths_lose_less_than_a_row_each_and_all_scenes_end() -> None:
    cluster = replace(CALM, workers=4, hours_between_deaths=0.02, restart_seconds=5.0)
    load = replace(LOAD, scenes=200)
    run = simulate(load, cluster, seed=1)
    calm = simulate(load, replace(cluster, hours_between_deaths=float("inf")))
    assert run.deaths > 20
    assert run.lost_seconds < run.deaths * 3.0
    assert run.seconds > calm.seconds
    assert run.failed_scenes == 0
    assert run == simulate(load, cluster, seed=1)


def test_a_scene_is_given_up_after_three_deaths() -> None:
    cluster = replace(CALM, workers=2, hours_between_deaths=1e-5, restart_seconds=0.0)
    run = simulate(replace(LOAD, scenes=5), cluster)
    assert run.failed_scenes == 5
    assert run.deaths >= 15


def test_slow_workers_make_a_tail() -> None:
    load = replace(LOAD, scenes=64)
    cluster = replace(CALM, workers=16, slow_share=0.2, slow_factor=10.0)
    slow, even = simulate(load, cluster), simulate(load, replace(cluster, slow_share=0.0))
    assert slow.tail_seconds > even.tail_seconds
    assert slow.speed < even.speed == 16


@pytest.mark.parametrize(
    ("rows", "workers", "scenes", "blocks"),
    [(10, 4, 100, 1), (10, 4, 1, 4), (100, 4, 1, 12), (10, 100, 1, 5), (1, 100, 1, 1)],
)
def test_scenes_are_cut_as_the_batch_does(
    rows: int, workers: int, scenes: int, blocks: int
) -> None:
    assert num_blocks(rows, workers=workers, scenes=scenes) == blocks


def test_clusters_and_the_head() -> None:
    assert order_seconds(10) > 0
    assert clusters(0.01)["head ten times slower"].head_seconds == pytest.approx(0.1)
