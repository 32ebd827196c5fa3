"""A guess is locked before the answer is seen."""

from __future__ import annotations

from cdseg_teach.labs.predict import Predict


def test_the_first_click_counts() -> None:
    guess = Predict("What happens?", ["rises", "falls"])
    _ = guess.widget
    guess._buttons[1].click()
    guess._buttons[0].click()
    assert guess.guess == "falls"
    assert all(button.disabled for button in guess._buttons)


def test_the_answer_stays_covered_until_there_is_a_guess() -> None:
    guess = Predict("What happens?", ["rises", "falls"])
    revealed = guess.reveal("falls", "since <veins> vanish")
    _ = guess.widget, revealed.widget
    assert "What happened" not in revealed._text.value
    guess._buttons[0].click()
    assert "Your guess: rises. What happened: falls." in revealed._text.value
    assert "&lt;veins&gt;" in revealed._text.value


def test_or_until_one_asks_for_it() -> None:
    revealed = Predict("What happens?", ["rises", "falls"]).reveal("falls")
    _ = revealed.widget
    revealed._ask.click()
    assert "No guess was made. What happened: falls." in revealed._text.value


def test_numbers() -> None:
    guess = Predict("How many percent?", between=(0, 100), unit="%")
    _ = guess.widget
    guess._slider.value = 70
    guess._buttons[0].click()
    assert guess.reveal(62).told() == "Your guess: 70 %. What happened: 62 %."


def test_text_is_the_same_on_every_machine() -> None:
    number, choice = Predict("How many?", unit="%"), Predict("Which?", ["a", "b"])
    assert repr(number) == "Predict: How many? (0 to 100 %)"
    assert repr(choice) == "Predict: Which? (a / b)"
    assert repr(choice.reveal("a")) == "What happened: a"
    assert repr(number.reveal(61.7)) == repr(number.reveal(61.8))
    data, _ = choice._repr_mimebundle_()
    assert "image/png" not in data
