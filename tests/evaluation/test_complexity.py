from espnet_distill.profiling.macs import parameters, size_mb


def attention_block(adim, units):
    attention = 4 * (adim * adim + adim)
    feed_forward = adim * units + units + units * adim + adim  # kernel 1
    return attention + feed_forward + 2 * 2 * adim  # two layer norms


def test_parameters_are_those_of_the_stock_model(systems):
    for system in systems.values():
        expected = sum(p.numel() for p in system.model.tts.parameters())
        assert parameters(system.tts) == expected


def test_parameters_of_an_encoder_can_be_counted_by_hand(systems):
    encoder = systems["student"].tts.encoder
    tokens = len(systems["student"].train_args.token_list)
    position_scale, final_norm = 1, 2 * 8
    assert parameters(encoder) == (
        tokens * 8 + position_scale + attention_block(8, 16) + final_norm
    )


def test_a_discriminator_is_not_counted():
    import torch

    gan = torch.nn.ModuleDict(
        {"generator": torch.nn.Linear(2, 3), "discriminator": torch.nn.Linear(9, 9)}
    )
    gan.generator = gan["generator"]
    assert parameters(gan) == 2 * 3 + 3


def test_a_megabyte_is_a_million_bytes(tmp_path):
    (tmp_path / "model.pth").write_bytes(bytes(2_500_000))
    assert size_mb(tmp_path / "model.pth") == 2.5
