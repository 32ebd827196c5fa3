import torch

from cdseg_teach.anatomy.thorax import MIDLINE_MM, TUBES, _box, _tube, thorax_at


def at(*places):
    organs = thorax_at(torch.tensor(places, dtype=torch.float32).view(1, -1, 1, 1, 3))
    return {name: distance.flatten().tolist() for name, distance in organs.items()}


def test_a_tube_is_a_cylinder_with_round_ends():
    places = torch.tensor([[0.0, 7, 5], [0, 0, 5], [0, 0, 13], [0, 0, -6]])
    distance = _tube(places, (0, 0, 0, 2), (0, 0, 10, 2))
    torch.testing.assert_close(distance, torch.tensor([5.0, -2, 1, 4]))


def test_a_tapered_tube_has_the_radius_in_between():
    distance = _tube(torch.tensor([[10.0, 0, 5]]), (0, 0, 0, 2), (0, 0, 10, 4))
    torch.testing.assert_close(distance, torch.tensor([7.0]))


def test_distance_to_a_box():
    x = torch.tensor([0.0, 5.0, 5.0])
    y = torch.tensor([0.0, 0.0, 6.0])
    distance = _box(x, y, torch.zeros(3), 2, 2, 9)
    torch.testing.assert_close(distance, torch.tensor([-2.0, 3.0, 5.0]))


def test_every_station_of_a_tube_lies_inside_it():
    for name, courses in TUBES.items():
        for course in courses:
            inside = [station for station in course if -75 <= station[2] <= 96]
            for station, distance in zip(inside, at(*(s[:3] for s in inside))[name], strict=True):
                assert distance < 2.5 - station[3], name


def test_organs_lie_where_they_belong():
    organs = at(
        (MIDLINE_MM, -89, 11),  # a vertebra
        (MIDLINE_MM, 65, 0),  # behind the skin of the breast bone
        (95, -30, -60),  # below the right dome
        (-45, -45, -60),  # below the left dome
        (110, -40, 20),  # in the right lung
        (4, -68, 0),  # left of the spine, before it
    )
    for position, name in enumerate(("spine", "sternum", "liver", "spleen", "cavity", "aorta")):
        assert organs[name][position] < -2, name
    assert organs["abdomen"][4] > 0
    assert organs["mediastinum"][4] > 0
    assert organs["liver"][3] > 0


def test_the_right_dome_is_the_higher_one():
    right, left = at((88, -28, -34), (-46, -34, -34))["abdomen"]
    assert right < 0 < left


def test_great_vessels_stay_apart_and_inside_the_chest():
    z, y, x = torch.meshgrid(
        torch.arange(-60.0, 80, 3), torch.arange(-110.0, 60, 3), torch.arange(-60.0, 80, 3),
        indexing="ij",
    )  # fmt: skip
    organs = thorax_at(torch.stack([x, y, z], dim=-1)[None])
    for one, other in (("aorta", "pulmonary"), ("aorta", "cavae"), ("pulmonary", "cavae")):
        both = (organs[one] < 0) & (organs[other] < 0)
        assert both.sum() <= 0.005 * (organs[one] < 0).sum(), (one, other)
    for name in ("aorta", "pulmonary", "cavae", "pulmonary_veins", "airway", "oesophagus"):
        assert (organs["cavity"][organs[name] < 0] < 0).all()
        assert ((organs[name] < 0) & (organs["spine"] < 0)).sum() == 0
