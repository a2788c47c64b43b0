from attnviz.tasks import load_demo_sentences
from attnviz.text import tokenize


def test_the_sentences_that_ship_can_be_read_and_drawn():
    sentences = load_demo_sentences()

    assert len(sentences) == len(set(sentences.ids)) == len(set(sentences.texts)) >= 14
    assert 6 <= sentences.labels.sum() <= len(sentences) - 6
    lengths = [len(tokenize(text)) for text in sentences.texts]
    assert 10 <= min(lengths) < max(lengths) <= 250
    assert not any("<" in text or text != text.strip() for text in sentences.texts)
    assert any("é" in text and '"' in text for text in sentences.texts)


def test_their_labels_are_numbered_as_the_classes_of_a_model():
    known = load_demo_sentences().labels

    assert (load_demo_sentences(("positive", "other", "negative")).labels == 2 - 2 * known).all()
    assert set(load_demo_sentences(("bad", "good")).labels) == {-1}
    assert set(load_demo_sentences(("negative", "other")).labels) == {-1}
